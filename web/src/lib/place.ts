/** Where a model runs, as people say it. The provider's id is all an old answer still knows. */
export function placeOf(provider: string, local: boolean): string {
  if (!local) return `sent to ${provider || "the provider"}`;
  if (provider === "engine") return "on this machine";
  return provider.startsWith("tier") ? "on your model tier" : `on your own ${provider}`;
}
