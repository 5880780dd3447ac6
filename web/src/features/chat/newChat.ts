import { create } from "zustand";
import type { Parameters } from "@/api/types";

/** Choices made before a chat exists. */
interface NewChatChoices {
  model: string | null;
  system: string | null;
  parameters: Parameters;
}

const nothingChosen: NewChatChoices = { model: null, system: null, parameters: {} };

export const useNewChat = create<NewChatChoices>(() => nothingChosen);
export const resetNewChat = () => useNewChat.setState(nothingChosen, true);

// The chat whose first question waits as its draft, to be sent when its page opens. Not kept over a
// reload: then the question stands in the field and the person decides.
let toSend: string | null = null;

export function sendOnOpen(chatId: string): void {
  toSend = chatId;
}

export function takeSendOnOpen(chatId: string): boolean {
  const mine = toSend === chatId;
  if (mine) toSend = null;
  return mine;
}
