import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { SlidersHorizontal } from "lucide-react";
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { createChat } from "@/api/client";
import { lookAgain, putChat } from "@/api/queries";
import { useMay } from "@/api/signIn";
import type { Model, Status } from "@/api/types";
import { havePictures, moveDraftFiles, useFilesOf } from "@/lib/draftFiles";
import { modelName } from "@/lib/format";
import { nothingInstalled } from "@/lib/health";
import { placeOf } from "@/lib/place";
import { useShortcut } from "@/lib/shortcuts";
import { useDraft, writeDraft } from "@/lib/useDraft";
import { IconButton } from "@/ui/Button";
import { GoblinMark } from "@/ui/GoblinMark";
import { Composer, type ComposerHandle } from "./Composer";
import { ModelPicker } from "./ModelPicker";
import { resetNewChat, sendOnOpen, useNewChat } from "./newChat";
import { RemedyNotice } from "./RemedyNotice";
import { RoutePreview } from "./RoutePreview";
import { useChatModels } from "./useChatModels";

const SettingsDialog = lazy(() => import("./SettingsDialog"));

interface NewChatPageProps {
  menu: ReactNode;
  /** What the machine has to say: starter model, no model. */
  notice: ReactNode;
}

export function NewChatPage({ menu, notice }: NewChatPageProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const choices = useNewChat();
  const { status, answering } = useChatModels(choices.model);
  const [draft, setDraft] = useDraft("new");
  const files = useFilesOf("new");
  const [error, setError] = useState<unknown>(null);
  const [creating, setCreating] = useState(false);
  const [settingsOpen, setSettingsOpen] = useState(false);
  const composer = useRef<ComposerHandle>(null);
  const noModel = nothingInstalled(status);
  const mayAsk = useMay("member");

  useEffect(() => {
    document.title = "Goblin";
    composer.current?.focus();
  }, []);
  useShortcut("focus", () => composer.current?.focus());
  useShortcut("settings", mayAsk ? () => setSettingsOpen(true) : null);

  async function send() {
    setError(null);
    setCreating(true);
    try {
      const chat = await createChat({ ...choices });
      putChat(client, chat, "first");
      writeDraft(chat.id, draft);
      moveDraftFiles("new", chat.id);
      setDraft("");
      resetNewChat();
      sendOnOpen(chat.id);
      await navigate({ to: "/c/$chatId", params: { chatId: chat.id } });
    } catch (failure) {
      setError(failure);
      setCreating(false);
    }
  }

  return (
    <main className="page">
      <header className="page-header">
        {menu}
        <span className="flex-1" />
        {mayAsk && (
          <IconButton label="Settings of this chat" onClick={() => setSettingsOpen(true)}>
            <SlidersHorizontal size={17} />
          </IconButton>
        )}
      </header>
      <div className="welcome">
        <div className="welcome-head">
          <GoblinMark size={76} />
          <h1>What shall we dig into?</h1>
          <p data-testid="who-answers">{mayAsk ? whoAnswers(status, answering) : readsOnly}</p>
        </div>
        {error !== null && (
          <RemedyNotice error={error} onRetry={send} noModelHelp={status?.no_model_help} />
        )}
        <Composer
          ref={composer}
          text={draft}
          onText={setDraft}
          onSend={send}
          onStop={null}
          disabled={noModel || creating || !mayAsk}
          placeholder={placeholderOf(mayAsk, noModel)}
          files={mayAsk ? { draft: "new", chosen: choices.model } : null}
          tools={
            mayAsk && (
              <ModelPicker
                status={status}
                chosen={choices.model}
                onOpen={() => lookAgain(client)}
                onChoose={(model) => useNewChat.setState({ model })}
              />
            )
          }
        />
        <RoutePreview
          draft={draft}
          pictures={havePictures(files)}
          model={choices.model}
          otherwise=""
        />
        {notice}
      </div>
      {settingsOpen && (
        <Suspense>
          <SettingsDialog
            settings={choices}
            onClose={() => setSettingsOpen(false)}
            onSave={async (settings) => useNewChat.setState(settings)}
          />
        </Suspense>
      )}
    </main>
  );
}

const readsOnly = "Your role here is viewer: you read, and ask nothing. An owner can change it.";

function placeholderOf(mayAsk: boolean, noModel: boolean): string {
  if (!mayAsk) return "Viewers ask nothing";
  return noModel ? "No model can answer yet" : "Ask anything";
}

/** One honest sentence: which model, and whether the question leaves the machine. */
function whoAnswers(status: Status | undefined, answering: Model | undefined): ReactNode {
  if (!status) return "Looking for the models…";
  if (nothingInstalled(status)) return "There is no model to answer yet.";
  if (!answering) {
    return status.default_model === null
      ? "Nobody can answer just now. What you write is kept."
      : "A model is chosen for each question.";
  }
  const { id, provider, local, state } = answering;
  const stays = provider === "engine" ? "Nothing you write leaves it." : "No cloud is asked.";
  return (
    <>
      <strong>{modelName(id)}</strong>{" "}
      {state === "down"
        ? "cannot answer just now. What you write is kept."
        : local
          ? `will answer, ${placeOf(provider, local)}. ${stays}`
          : `will answer. Your question is sent to ${provider}.`}
    </>
  );
}
