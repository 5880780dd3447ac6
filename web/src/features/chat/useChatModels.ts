import { useQuery } from "@tanstack/react-query";
import { statusQuery } from "@/api/queries";
import type { Model, Status } from "@/api/types";

/** Who would answer now: the model chosen for the chat, else the one the server prefers. */
export function useChatModels(chosen: string | null): {
  status: Status | undefined;
  answering: Model | undefined;
} {
  const { data: status } = useQuery(statusQuery);
  const id = chosen ?? status?.default_model;
  const answering = status?.models.find((model) => model.id === id);
  return { status, answering };
}
