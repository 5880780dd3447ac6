// A browser without a screen: it keeps cookies, follows nothing by itself, and comes from an address of its own.

let visitors = 0;

/** Somebody new who comes to `url`, by way of the proxy that the server trusts. */
export function visitor(url) {
  visitors += 1;
  const [name, address] = [`visitor-${visitors}`, `198.51.100.${visitors}`];
  const cookies = new Map();
  const call = async (path, { method = "GET", body, site = "same-origin" } = {}) => {
    const response = await fetch(new URL(path, url), {
      method,
      redirect: "manual",
      headers: {
        "sec-fetch-site": site,
        "x-correlation-id": name,
        "x-forwarded-for": address,
        cookie: [...cookies].map((pair) => pair.join("=")).join("; "),
        ...(body ? { "content-type": "application/json" } : {}),
      },
      body: body ? JSON.stringify(body) : undefined,
    });
    for (const set of response.headers.getSetCookie()) {
      const [cookie, value] = set.split(";")[0].split("=");
      if (value === "") cookies.delete(cookie);
      else cookies.set(cookie, value);
    }
    return response;
  };
  return {
    /** By which the server's log knows what they did. */
    name,
    call,
    cookies,
    /** Begins at a provider: where the browser goes. */
    async begin(provider = "oidc") {
      const response = await call(`/auth/oidc/${provider}/url`);
      if (!response.ok) throw new Error(`begin: ${response.status} ${await response.text()}`);
      return (await response.json()).url;
    },
    /** Comes back as the provider said: where the page is led. */
    async comeBack(address) {
      const response = await call(address, { site: "cross-site" });
      return response.headers.get("location") ?? `${response.status}`;
    },
    isSignedIn: () => cookies.has("goblin-sid"),
  };
}

/** What the provider does with a browser that comes to `authorization`. */
export async function atProvider(authorization) {
  const response = await fetch(authorization, { redirect: "manual" });
  const location = response.headers.get("location");
  if (!location) throw new Error(`the provider: ${response.status} ${await response.text()}`);
  return location;
}
