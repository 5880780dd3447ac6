import { useEffect, useState } from "react";

/** What a provider's way back left in the address: read once, then taken out of it, so that a reload does not say it again. */
export function useReturned(): string {
  const [search] = useState(() => window.location.search);
  useEffect(() => {
    const address = new URL(window.location.href);
    for (const name of ["error", "linked"]) address.searchParams.delete(name);
    window.history.replaceState(window.history.state, "", address);
  }, []);
  return search;
}
