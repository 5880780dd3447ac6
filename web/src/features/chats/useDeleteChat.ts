import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { create } from "zustand";
import { deleteChat, restoreChat } from "@/api/client";
import { chatQuery, chatsQuery, dropChat, turnsQuery } from "@/api/queries";
import type { Chat } from "@/api/types";
import { remedyOf } from "@/lib/problems";
import { announce } from "@/ui/announce";
import { showToast } from "@/ui/toasts";

const UNDO_MS = 10_000; // the server keeps a deleted chat this long

/** The way back for the chat deleted last, while there is one. */
export const useUndo = create<{ undo: (() => void) | null }>(() => ({ undo: null }));

export function useDeleteChat() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { chatId } = useParams({ strict: false });

  return async (chat: Chat) => {
    const title = chat.title ?? "New chat";
    const open = chatId === chat.id;
    dropChat(client, chat.id);
    if (open) await navigate({ to: "/" });
    try {
      await deleteChat(chat.id);
    } catch (error) {
      client.invalidateQueries({ queryKey: chatsQuery.queryKey });
      showToast({ text: `Not deleted. ${remedyOf(error).detail}`, milliseconds: 8000 });
      return;
    }
    client.removeQueries({ queryKey: chatQuery(chat.id).queryKey });
    client.removeQueries({ queryKey: turnsQuery(chat.id).queryKey });

    const undo = async () => {
      useUndo.setState({ undo: null });
      try {
        await restoreChat(chat.id);
        announce(`${title} is back`);
        if (open) await navigate({ to: "/c/$chatId", params: { chatId: chat.id } });
      } catch (error) {
        showToast({ text: `Not brought back. ${remedyOf(error).detail}`, milliseconds: 8000 });
      }
      // Where it belongs in the list, the server knows.
      client.invalidateQueries({ queryKey: chatsQuery.queryKey });
    };
    useUndo.setState({ undo });
    setTimeout(
      () => useUndo.setState((now) => (now.undo === undo ? { undo: null } : now)),
      UNDO_MS,
    );
    showToast({
      text: `Deleted “${title}”`,
      milliseconds: UNDO_MS,
      action: { label: "Undo", run: undo },
    });
  };
}
