import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { SlidersHorizontal } from "lucide-react";
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { stopTurn, updateChat } from "@/api/client";
import { chatQuery, lookAgain, putChat, putTurn } from "@/api/queries";
import { useMay } from "@/api/signIn";
import type { Chat, Turn } from "@/api/types";
import { havePictures, useFilesOf } from "@/lib/draftFiles";
import { nothingInstalled } from "@/lib/health";
import { ProblemError } from "@/lib/problems";
import { useShortcut } from "@/lib/shortcuts";
import { announce } from "@/ui/announce";
import { IconButton } from "@/ui/Button";
import { Composer, type ComposerHandle } from "./Composer";
import { useLiveTurns } from "./liveTurns";
import { ModelPicker } from "./ModelPicker";
import { takeSendOnOpen } from "./newChat";
import { RemedyNotice } from "./RemedyNotice";
import { RoutePreview } from "./RoutePreview";
import { TurnList } from "./TurnList";
import { useChatModels } from "./useChatModels";
import { useSending } from "./useSending";
import { useTurnActions } from "./useTurnActions";
import { useTurnPath } from "./useTurnPath";

const SettingsDialog = lazy(() => import("./SettingsDialog"));
const TraceDialog = lazy(() => import("./TraceDialog"));

interface ChatPageProps {
  chatId: string;
  /** The button that opens the sidebar, when it is away. */
  menu: ReactNode;
}

export default function ChatPage({ chatId, menu }: ChatPageProps) {
  const chat = useQuery({
    ...chatQuery(chatId),
    retry: (count, error) => !(error instanceof ProblemError) && count < 2,
  });
  const missing = chat.error instanceof ProblemError && chat.error.problem.status === 404;
  useTitle(missing ? "Chat not found" : (chat.data?.title ?? "New chat"));
  if (missing) return <ChatMissing menu={menu} />;
  return (
    <main className="page">
      {chat.data ? (
        // A chat of its own for each id: nothing of the last one may linger in a field or dialog.
        <OpenChat key={chatId} chat={chat.data} menu={menu} />
      ) : (
        <ChatWaiting menu={menu} error={chat.error} onRetry={() => chat.refetch()} />
      )}
    </main>
  );
}

function OpenChat({ chat, menu }: { chat: Chat; menu: ReactNode }) {
  const client = useQueryClient();
  const { query, turns, pending } = useTurnPath(chat.id);
  const { status } = useChatModels(chat.model);
  const { draft, setDraft, send, attempt, failure, dismiss } = useSending(chat.id);
  const files = useFilesOf(chat.id);
  const [editing, setEditing] = useState<string | null>(null);
  const [settingsOpen, setSettingsOpen] = useState(false);
  const [traced, setTraced] = useState<Turn | null>(null);
  const composer = useRef<ComposerHandle>(null);
  const mayAsk = useMay("member");
  const last = turns.at(-1);
  const streaming = useStreamingTurn(last);

  async function stop(turn: Turn) {
    announce("Stopping");
    await attempt(
      async () => {
        const stopped = await stopTurn(turn.id);
        // The stream says so too; this is for when its line is broken.
        if (stopped.status !== "streaming" && !useLiveTurns.getState().turns[turn.id]) {
          putTurn(client, stopped);
        }
      },
      () => stop(turn),
    );
    composer.current?.focus();
  }

  const actions = useTurnActions(chat.id, attempt, setEditing, setTraced);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the chat opens
  useEffect(() => {
    composer.current?.focus();
    if (takeSendOnOpen(chat.id) && draft.trim() !== "") send(draft);
  }, []);

  useShortcut("focus", () => composer.current?.focus());
  useShortcut("settings", mayAsk ? () => setSettingsOpen(true) : null);
  useShortcut("stop", streaming && mayAsk ? () => stop(streaming) : null);
  useShortcut("edit", last && mayAsk ? () => setEditing(last.id) : null);
  useShortcut("regenerate", last && !streaming && mayAsk ? () => actions.onRegenerate(last) : null);
  useShortcut("copy", last ? () => copyAnswer(last) : null);
  useShortcut("trace", last?.trace ? () => setTraced(last) : null);

  const noModel = nothingInstalled(status);
  return (
    <>
      <header className="page-header">
        {menu}
        <h1 className="min-w-0 flex-1 truncate font-display text-[1.0625rem] font-semibold">
          {chat.title ?? "New chat"}
        </h1>
        {mayAsk && (
          <IconButton label="Settings of this chat" onClick={() => setSettingsOpen(true)}>
            <SlidersHorizontal size={17} />
          </IconButton>
        )}
      </header>
      <TurnList
        chatId={chat.id}
        turns={turns}
        pending={pending}
        editing={editing}
        actions={actions}
        older={query}
      />
      <div className="composer-dock">
        {query.error && turns.length === 0 && (
          <RemedyNotice
            error={query.error}
            retryLabel="Load again"
            onRetry={() => query.refetch()}
          />
        )}
        {failure && (
          <RemedyNotice
            error={failure.error}
            onRetry={failure.retry}
            onDismiss={dismiss}
            noModelHelp={status?.no_model_help}
          />
        )}
        <Composer
          ref={composer}
          text={draft}
          onText={setDraft}
          onSend={() => send(draft)}
          onStop={streaming && mayAsk ? () => stop(streaming) : null}
          disabled={noModel || pending !== null || !mayAsk}
          placeholder={placeholderOf(mayAsk, noModel)}
          files={mayAsk ? { draft: chat.id, chosen: chat.model } : null}
          tools={
            mayAsk && (
              <ModelPicker
                status={status}
                chosen={chat.model}
                onOpen={() => lookAgain(client)}
                onChoose={(model) => {
                  const choose = () =>
                    attempt(
                      async () => putChat(client, await updateChat(chat.id, { model }), "keep"),
                      choose,
                    );
                  choose();
                }}
              />
            )
          }
        />
        <RoutePreview
          draft={draft}
          pictures={havePictures(files)}
          model={chat.model}
          otherwise="A small goblin can be wrong. Check what matters."
        />
      </div>
      {traced && (
        <Suspense>
          <TraceDialog turn={traced} onClose={() => setTraced(null)} />
        </Suspense>
      )}
      {settingsOpen && (
        <Suspense>
          <SettingsDialog
            settings={chat}
            onClose={() => setSettingsOpen(false)}
            onSave={async (settings) =>
              putChat(client, await updateChat(chat.id, settings), "keep")
            }
          />
        </Suspense>
      )}
    </>
  );
}

function placeholderOf(mayAsk: boolean, noModel: boolean): string {
  if (!mayAsk) return "Viewers read, and ask nothing";
  return noModel ? "No model can answer yet" : "Ask further";
}

/** The last turn, while it is being answered. */
function useStreamingTurn(last: Turn | undefined): Turn | null {
  const settled = useLiveTurns((state) => (last ? state.turns[last.id]?.state.settled : undefined));
  if (!last) return null;
  const streaming = settled === undefined ? last.status === "streaming" : !settled;
  return streaming ? last : null;
}

async function copyAnswer(turn: Turn) {
  const answer = useLiveTurns.getState().turns[turn.id]?.state.turn?.answer ?? turn.answer;
  await navigator.clipboard?.writeText(answer);
  announce("Answer copied");
}

function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Goblin`;
  }, [title]);
}

function ChatMissing({ menu }: { menu: ReactNode }) {
  return (
    <main className="page">
      <header className="page-header">{menu}</header>
      <div className="page-centre">
        <h1 className="font-display text-2xl font-semibold">This chat is not here</h1>
        <p className="text-muted">
          It may have been deleted; a deleted chat can be brought back for ten seconds only.
        </p>
        <Link to="/" className="link-button">
          Start a new chat
        </Link>
      </div>
    </main>
  );
}

interface ChatWaitingProps {
  menu: ReactNode;
  error: unknown;
  onRetry: () => void;
}

function ChatWaiting({ menu, error, onRetry }: ChatWaitingProps) {
  return (
    <>
      <header className="page-header">
        {menu}
        <h1 className="sr-only">Chat</h1>
      </header>
      <div className="page-centre">
        {error ? (
          <RemedyNotice error={error} retryLabel="Load again" onRetry={onRetry} />
        ) : (
          <p className="text-muted">Opening the chat…</p>
        )}
      </div>
    </>
  );
}
