import { useQuery } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { lookAtLink } from "@/api/accounts";

/**
 * The token of the link the page was opened by, and what the server says it is good for. It stands behind `#`, which
 * browsers send to nobody, and stays there until it is used, so that the page can be loaded again.
 */
export function useLink() {
  const token = useLocation({ select: ({ hash }) => decode(hash) });
  const query = useQuery({
    queryKey: ["link", token],
    queryFn: () => lookAtLink(token),
    enabled: token !== "",
    retry: false,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  return { token, link: query.data, error: query.error, retry: query.refetch };
}

function decode(hash: string): string {
  try {
    return decodeURIComponent(hash.replace(/^#/, ""));
  } catch {
    return hash;
  }
}
