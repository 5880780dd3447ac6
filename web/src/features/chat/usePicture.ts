import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { getAttachment } from "@/api/attachments";

/** An address of a picture the server has, for as long as it is shown; null until it is there. */
export function usePicture(id: string | null): string | null {
  const { data } = useQuery({
    queryKey: ["attachment", id],
    queryFn: () => getAttachment(id ?? ""),
    enabled: id !== null,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    if (!data) return;
    const made = URL.createObjectURL(data);
    setAddress(made);
    return () => {
      setAddress(null);
      URL.revokeObjectURL(made);
    };
  }, [data]);
  return address;
}
