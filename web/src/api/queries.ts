import {
  type InfiniteData,
  infiniteQueryOptions,
  type QueryClient,
  queryOptions,
} from "@tanstack/react-query";
import { atStart, nextLookMs, seenAgain } from "@/lib/statusRhythm";
import { placeTurn } from "@/lib/turnPath";
import { getChat, getStatus, getTurnTrace, listChats, listTurns, previewRoute } from "./client";
import type { Chat, ChatPage, Turn, TurnPage } from "./types";

// Server state: what is asked for, and the few ways the page changes its copy of it.

let rhythm = atStart;

export const statusQuery = queryOptions({
  queryKey: ["status"],
  queryFn: async () => {
    const status = await getStatus();
    rhythm = seenAgain(rhythm, status);
    return status;
  },
  // A hidden page does not ask; one that is looked at again asks at once.
  refetchInterval: ({ state }) => nextLookMs(rhythm, state.data),
  refetchIntervalInBackground: false,
  refetchOnWindowFocus: true,
  staleTime: 2000,
});

/** Something just happened that says more than the last look did: an answer came, or did not. */
export const lookAgain = (client: QueryClient) => {
  rhythm = atStart;
  return client.invalidateQueries({ queryKey: statusQuery.queryKey });
};

export const chatsQuery = infiniteQueryOptions({
  queryKey: ["chats"],
  queryFn: ({ pageParam }) => listChats(pageParam),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.next_cursor ?? undefined,
  staleTime: 10_000,
});

export const chatQuery = (id: string) =>
  queryOptions({ queryKey: ["chat", id], queryFn: () => getChat(id) });

/** Pages go back in time: the first one holds the newest turns. */
export const turnsQuery = (chatId: string) =>
  infiniteQueryOptions({
    queryKey: ["turns", chatId],
    queryFn: ({ pageParam }) => listTurns(chatId, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => (page.has_more ? page.items[0]?.id : undefined),
    // A refetch reads one page where the cache may hold many; on focus that would move the reader.
    refetchOnWindowFocus: false,
  });

/** A trace never changes; the one of a turn that ended here came with its stream. */
export const traceQuery = (turnId: string) =>
  queryOptions({
    queryKey: ["trace", turnId],
    queryFn: () => getTurnTrace(turnId),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** What would happen to a question, without anybody being asked. */
export const routeQuery = (question: string, model: string | null, pictures: boolean) =>
  queryOptions({
    queryKey: ["route", model, question, pictures],
    queryFn: ({ signal }) => previewRoute(question, model, pictures, signal),
    // A guess about the next second: not worth a second try, nor keeping each word's worth of it.
    retry: false,
    staleTime: 15_000,
    gcTime: 60_000,
  });

export function turnsInOrder(data: InfiniteData<TurnPage> | undefined): Turn[] {
  return (data?.pages ?? []).toReversed().flatMap((page) => page.items);
}

/** Whether the copy of the active branch has this turn, in whatever state. */
export function hasTurn(client: QueryClient, turn: Turn): boolean {
  const data = client.getQueryData(turnsQuery(turn.chat_id).queryKey);
  return turnsInOrder(data).some((other) => other.id === turn.id);
}

export function putTurn(client: QueryClient, turn: Turn): void {
  const key = turnsQuery(turn.chat_id).queryKey;
  // An answer to an older question may be on its way and would put the old state back.
  client.cancelQueries({ queryKey: key });
  client.setQueryData(key, (before) => {
    const items = placeTurn(turnsInOrder(before), turn);
    const oldest = before?.pages.at(-1);
    return { pages: [{ items, has_more: oldest?.has_more ?? false }], pageParams: [undefined] };
  });
}

/** Changes the copy of one turn, wherever it stands. */
export function changeTurn(client: QueryClient, turn: Turn, change: Partial<Turn>): void {
  client.setQueryData(
    turnsQuery(turn.chat_id).queryKey,
    (before) =>
      before && {
        ...before,
        pages: before.pages.map((page) => ({
          ...page,
          items: page.items.map((other) =>
            other.id === turn.id ? { ...other, ...change } : other,
          ),
        })),
      },
  );
}

/** Reads the active branch again, from its newest page. */
export async function reloadTurns(client: QueryClient, chatId: string): Promise<void> {
  const key = turnsQuery(chatId).queryKey;
  await client.cancelQueries({ queryKey: key });
  const page = await listTurns(chatId);
  client.setQueryData(key, { pages: [page], pageParams: [undefined] });
}

export function putChat(client: QueryClient, chat: Chat, place: "keep" | "first"): void {
  const key = chatQuery(chat.id).queryKey;
  // A chat without its title may be on its way and would take the title away again.
  client.cancelQueries({ queryKey: key });
  client.setQueryData(key, chat);
  client.setQueryData(chatsQuery.queryKey, (before) => before && withChat(before, chat, place));
}

export function dropChat(client: QueryClient, id: string): void {
  client.setQueryData(
    chatsQuery.queryKey,
    (before) => before && eachPage(before, (items) => items.filter((chat) => chat.id !== id)),
  );
}

type Chats = InfiniteData<ChatPage>;

function withChat(data: Chats, chat: Chat, place: "keep" | "first"): Chats {
  const listed = data.pages.some((page) => page.items.some((other) => other.id === chat.id));
  if (place === "keep" && listed) {
    return eachPage(data, (items) => items.map((other) => (other.id === chat.id ? chat : other)));
  }
  return eachPage(data, (items, index) => {
    const others = items.filter((other) => other.id !== chat.id);
    return index === 0 ? [chat, ...others] : others;
  });
}

function eachPage(data: Chats, change: (items: Chat[], index: number) => Chat[]): Chats {
  return {
    ...data,
    pages: data.pages.map((page, index) => ({ ...page, items: change(page.items, index) })),
  };
}
