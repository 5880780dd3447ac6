import type { Chat } from "@/api/types";

export interface ChatGroup {
  label: string;
  chats: Chat[];
}

const DAY = 86_400_000;

/** Newest first in, the same order out under headings a person thinks in. */
export function groupChats(chats: readonly Chat[], now: Date): ChatGroup[] {
  const groups: ChatGroup[] = [];
  for (const chat of chats) {
    const label = groupLabel(new Date(chat.updated_at), now);
    const last = groups.at(-1);
    if (last?.label === label) last.chats.push(chat);
    else groups.push({ label, chats: [chat] });
  }
  return groups;
}

function groupLabel(date: Date, now: Date): string {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const age = midnight - date.getTime();
  if (age <= 0) return "Today";
  if (age <= DAY) return "Yesterday";
  if (age <= 7 * DAY) return "This week";
  if (age <= 30 * DAY) return "This month";
  return date.toLocaleDateString("en", { month: "long", year: "numeric" });
}
