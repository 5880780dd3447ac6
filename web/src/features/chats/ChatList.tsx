import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Ellipsis, Pencil, Trash2 } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { useNextPage } from "@/api/nextPage";
import { chatsQuery } from "@/api/queries";
import { useMay } from "@/api/signIn";
import type { Chat } from "@/api/types";
import { groupChats } from "@/lib/chatGroups";
import { Button, IconButton } from "@/ui/Button";
import { Menu, MenuItem } from "@/ui/Menu";
import { RenameChat } from "./RenameChat";
import { useDeleteChat } from "./useDeleteChat";

type Row = { kind: "group"; label: string } | { kind: "chat"; chat: Chat };

export function ChatList({ onChosen }: { onChosen?: (() => void) | undefined }) {
  const query = useInfiniteQuery(chatsQuery);
  const rows = useMemo(
    () => toRows(query.data?.pages.flatMap((page) => page.items) ?? []),
    [query.data],
  );
  const [renaming, setRenaming] = useState<string | null>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    getItemKey: (index) => keyOf(rows[index], index),
    estimateSize: (index) => (rows[index]?.kind === "group" ? 36 : 38),
    overscan: 8,
    paddingEnd: 16,
  });

  const lastShown = virtualizer.getVirtualItems().at(-1)?.index ?? 0;
  useNextPage(query, lastShown >= rows.length - 5);

  return (
    <nav ref={scroller} aria-label="Chats" className="min-h-0 flex-1 overflow-y-auto px-3">
      {query.isError && rows.length === 0 && (
        <div className="space-y-2 px-2 py-3 text-sm text-muted">
          <p>The chats could not be loaded.</p>
          <Button small onClick={() => query.refetch()}>
            Load again
          </Button>
        </div>
      )}
      {query.isSuccess && rows.length === 0 && (
        <p className="px-2 py-3 text-sm text-muted">
          Chats you start are kept here, on the server.
        </p>
      )}
      <ul className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <li
              key={item.key}
              ref={virtualizer.measureElement}
              data-index={item.index}
              className="absolute top-0 left-0 w-full"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {row.kind === "group" ? (
                <h2 className="chat-group">{row.label}</h2>
              ) : renaming === row.chat.id ? (
                <RenameChat chat={row.chat} onDone={() => setRenaming(null)} />
              ) : (
                <ChatRow
                  chat={row.chat}
                  onChosen={onChosen}
                  onRename={() => setRenaming(row.chat.id)}
                />
              )}
            </li>
          );
        })}
      </ul>
      {query.isFetchNextPageError && !query.isFetchingNextPage && (
        <div className="space-y-2 px-2 py-3 text-sm text-muted">
          <p>Older chats could not be loaded.</p>
          <Button small onClick={() => query.fetchNextPage()}>
            Load again
          </Button>
        </div>
      )}
    </nav>
  );
}

interface ChatRowProps {
  chat: Chat;
  onChosen: (() => void) | undefined;
  onRename: () => void;
}

function ChatRow({ chat, onChosen, onRename }: ChatRowProps) {
  const { chatId } = useParams({ strict: false });
  const remove = useDeleteChat();
  const mayChange = useMay("member");
  const title = chat.title ?? "New chat";
  // The menu gives focus back to its button as it closes; the field of a rename must come after.
  const afterClose = useRef<(() => void) | null>(null);
  return (
    <div className="chat-row" data-current={chatId === chat.id || undefined}>
      <Link
        to="/c/$chatId"
        params={{ chatId: chat.id }}
        title={title}
        className="chat-link"
        {...(onChosen ? { onClick: onChosen } : {})}
      >
        {title}
      </Link>
      {mayChange && (
        <Menu
          label={`Actions for ${title}`}
          align="end"
          onOpenChange={(open) => {
            if (!open && afterClose.current) setTimeout(afterClose.current, 0);
            if (!open) afterClose.current = null;
          }}
          trigger={
            <IconButton label={`Actions for ${title}`} className="chat-row-menu size-7">
              <Ellipsis size={16} />
            </IconButton>
          }
        >
          <MenuItem icon={<Pencil size={15} />} onSelect={() => (afterClose.current = onRename)}>
            Rename
          </MenuItem>
          <MenuItem icon={<Trash2 size={15} />} danger onSelect={() => remove(chat)}>
            Delete
          </MenuItem>
        </Menu>
      )}
    </div>
  );
}

function toRows(chats: readonly Chat[]): Row[] {
  return groupChats(chats, new Date()).flatMap((group): Row[] => [
    { kind: "group", label: group.label },
    ...group.chats.map((chat): Row => ({ kind: "chat", chat })),
  ]);
}

function keyOf(row: Row | undefined, index: number): string | number {
  if (!row) return index;
  return row.kind === "group" ? `group ${row.label}` : row.chat.id;
}
