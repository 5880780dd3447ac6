// What the browser does with passkeys (WebAuthn), and what it says when it does not.

/** No passkey was made or used, and nothing was sent to the server. */
export class PasskeyError extends Error {
  override name = "PasskeyError";
}

/** Can this browser make and use passkeys? Those before 2025 cannot read what the server asks. */
export const hasPasskeys = (): boolean =>
  typeof PublicKeyCredential === "function" &&
  typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function";

/** Makes one. `options` are the server's, the result is for it. */
export async function makePasskey(options: unknown): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options as PublicKeyCredentialCreationOptionsJSON,
  );
  return written(() => navigator.credentials.create({ publicKey }));
}

/** Uses one that the browser finds. `options` are the server's, the result is for it. */
export async function showPasskey(options: unknown): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options as PublicKeyCredentialRequestOptionsJSON,
  );
  return written(() => navigator.credentials.get({ publicKey }));
}

async function written(ask: () => Promise<Credential | null>): Promise<unknown> {
  try {
    const credential = await ask();
    if (credential instanceof PublicKeyCredential) return credential.toJSON();
  } catch (error) {
    throw new PasskeyError(wordsOf(error));
  }
  throw new PasskeyError("The browser gave no passkey. Try again.");
}

/** What a browser's refusal means. It says little on purpose, so that no page learns which passkeys there are. */
export function wordsOf(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "InvalidStateError") return "There is a passkey of this account on it already.";
  if (name === "NotAllowedError" || name === "AbortError") {
    return "It was cancelled, took too long, or there is no passkey for this page. Try again.";
  }
  if (name === "NotSupportedError" || name === "ConstraintError") {
    return "This device cannot make such a passkey. It needs a PIN, a fingerprint or the like set up.";
  }
  if (name === "SecurityError") return "The browser allows no passkeys on this page.";
  return "The browser could not do it. Try again, or use another device.";
}
