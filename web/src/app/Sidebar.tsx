import { Link } from "@tanstack/react-router";
import { ChartColumn, Keyboard, Monitor, Moon, PanelLeftClose, SquarePen, Sun } from "lucide-react";
import { lazy, Suspense } from "react";
import { useOwnAccount } from "@/api/signIn";
import { ChatList } from "@/features/chats/ChatList";
import { HealthLine } from "@/features/machine/HealthLine";
import { IconButton } from "@/ui/Button";
import { GoblinMark } from "@/ui/GoblinMark";
import { setTheme, type Theme, useTheme } from "@/ui/theme";

const AccountLine = lazy(() => import("@/features/account/AccountLine"));

interface SidebarProps {
  onHide: () => void;
  onHelp: () => void;
  onServers: () => void;
  /** On a narrow screen the sidebar goes away once a chat is chosen. */
  onChosen?: () => void;
}

export function Sidebar({ onHide, onHelp, onServers, onChosen }: SidebarProps) {
  const hasAccount = useOwnAccount() !== null;
  return (
    <div className="sidebar">
      <div className="flex items-center gap-2 py-3 pr-3 pl-5">
        <Link to="/" className="brand" onClick={onChosen} aria-label="Goblin, new chat">
          <GoblinMark size={30} />
          <span>Goblin</span>
        </Link>
        <span className="flex-1" />
        <IconButton label="Hide chats" onClick={onHide}>
          <PanelLeftClose size={17} />
        </IconButton>
      </div>
      <div className="px-3 pb-2">
        <Link to="/" className="new-chat" onClick={onChosen}>
          <SquarePen size={16} />
          <span className="flex-1">New chat</span>
        </Link>
      </div>
      <ChatList onChosen={onChosen} />
      <footer className="space-y-2 border-t border-line px-4 py-3">
        <HealthLine onOpen={onServers} />
        {hasAccount && (
          <Suspense fallback={<div className="account-line" />}>
            <AccountLine onChosen={onChosen} />
          </Suspense>
        )}
        <div className="flex items-center justify-between">
          <ThemeSwitch />
          <span className="flex-1" />
          <Link
            to="/usage"
            aria-label="Usage"
            title="Usage"
            onClick={onChosen}
            className="inline-flex size-8 shrink-0 items-center justify-center rounded-full text-muted transition-colors hover:bg-sunken hover:text-ink"
          >
            <ChartColumn size={17} />
          </Link>
          <IconButton label="Keyboard shortcuts" onClick={onHelp}>
            <Keyboard size={17} />
          </IconButton>
        </div>
      </footer>
    </div>
  );
}

const themes: { theme: Theme; label: string; Icon: typeof Sun }[] = [
  { theme: "system", label: "Theme of the system", Icon: Monitor },
  { theme: "light", label: "Light theme", Icon: Sun },
  { theme: "dark", label: "Dark theme", Icon: Moon },
];

function ThemeSwitch() {
  const chosen = useTheme((state) => state.theme);
  return (
    // biome-ignore lint/a11y/useSemanticElements: three toggle buttons, not a form
    <div role="group" aria-label="Theme" className="theme-switch">
      {themes.map(({ theme, label, Icon }) => (
        <button
          key={theme}
          type="button"
          aria-label={label}
          title={label}
          aria-pressed={chosen === theme}
          onClick={() => setTheme(theme)}
        >
          <Icon size={15} />
        </button>
      ))}
    </div>
  );
}
