import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { updateChat } from "@/api/client";
import { putChat } from "@/api/queries";
import type { Chat } from "@/api/types";
import { remedyOf } from "@/lib/problems";
import { showToast } from "@/ui/toasts";

export function RenameChat({ chat, onDone }: { chat: Chat; onDone: () => void }) {
  const client = useQueryClient();
  const [title, setTitle] = useState(chat.title ?? "");
  const field = useRef<HTMLInputElement>(null);
  const over = useRef(false);
  useEffect(() => field.current?.select(), []);

  async function save() {
    // Enter takes the field away, which blurs it: one end is enough.
    if (over.current) return;
    over.current = true;
    onDone();
    const wanted = title.trim();
    if (wanted === "" || wanted === chat.title) return;
    // Shown at once; put back when the server does not take it.
    putChat(client, { ...chat, title: wanted }, "keep");
    try {
      putChat(client, await updateChat(chat.id, { title: wanted }), "keep");
    } catch (error) {
      putChat(client, chat, "keep");
      showToast({ text: `Not renamed. ${remedyOf(error).detail}`, milliseconds: 8000 });
    }
  }

  return (
    <input
      ref={field}
      aria-label="Name of the chat"
      className="field h-9 py-0 text-sm"
      value={title}
      maxLength={200}
      onChange={(event) => setTitle(event.target.value)}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") save();
        if (event.key === "Escape") {
          event.preventDefault();
          over.current = true;
          onDone();
        }
      }}
    />
  );
}
