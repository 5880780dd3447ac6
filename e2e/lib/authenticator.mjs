// Chromium's virtual authenticator. Browsers give passkeys to localhost, not to 127.0.0.1.

/** An authenticator in this device, with a fingerprint that is always right. */
export async function authenticator(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const send = (method, more = {}) => cdp.send(`WebAuthn.${method}`, { authenticatorId, ...more });
  return {
    verifies: (isUserVerified) => send("setUserVerified", { isUserVerified }),
    credentials: async () => (await send("getCredentials")).credentials,
    /** What somebody has who copied it before it was used. */
    goBack: async () => {
      for (const credential of (await send("getCredentials")).credentials) {
        await send("removeCredential", { credentialId: credential.credentialId });
        await send("addCredential", { credential: { ...credential, signCount: 0 } });
      }
    },
  };
}

/** Adds a passkey to the account of whoever is signed in. */
export async function addPasskey(page, goblin, name) {
  await page.goto(`${goblin.url}/account/passkeys`);
  await page.getByLabel("Name of the passkey").fill(name);
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByRole("list", { name: "Passkeys" }).getByText(name).waitFor();
}
