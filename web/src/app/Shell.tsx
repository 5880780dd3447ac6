import { Outlet, useNavigate } from "@tanstack/react-router";
import { PanelLeft } from "lucide-react";
import { createContext, lazy, Suspense, use, useCallback, useState } from "react";
import { useUndo } from "@/features/chats/useDeleteChat";
import { ConnectionBanner } from "@/features/machine/ConnectionBanner";
import { HealthStrip } from "@/features/machine/HealthStrip";
import { useKeyboard } from "@/features/shortcuts/useKeyboard";
import { useShortcut } from "@/lib/shortcuts";
import { useMediaQuery } from "@/lib/useMediaQuery";
import { IconButton } from "@/ui/Button";
import { Drawer } from "@/ui/Dialog";
import { Gate } from "./Gate";
import { Sidebar } from "./Sidebar";

const HelpDialog = lazy(() => import("@/features/shortcuts/HelpDialog"));
const ServersDialog = lazy(() => import("@/features/machine/ServersDialog"));

/** Null while the sidebar is on screen. */
const ShowSidebar = createContext<(() => void) | null>(null);

export function SidebarButton() {
  const show = use(ShowSidebar);
  if (!show) return null;
  return (
    <IconButton label="Show chats" onClick={show}>
      <PanelLeft size={18} />
    </IconButton>
  );
}

export function Shell() {
  return (
    <Gate>
      <Rooms />
    </Gate>
  );
}

function Rooms() {
  const navigate = useNavigate();
  const wide = useMediaQuery("(min-width: 48rem)");
  const [pinned, setPinned] = useState(true);
  const [drawer, setDrawer] = useState(false);
  const [help, setHelp] = useState(false);
  const [servers, setServers] = useState(false);
  const undo = useUndo((state) => state.undo);
  const beside = wide && pinned;

  const show = useCallback(() => (wide ? setPinned(true) : setDrawer(true)), [wide]);
  const closeDrawer = useCallback(() => setDrawer(false), []);
  const openHelp = () => {
    setDrawer(false);
    setHelp(true);
  };

  const openServers = () => {
    setDrawer(false);
    setServers(true);
  };

  useKeyboard();
  useShortcut("new-chat", () => navigate({ to: "/" }));
  useShortcut("sidebar", () => (beside ? setPinned(false) : show()));
  useShortcut("help", () => setHelp(true));
  useShortcut("undo", undo);

  return (
    <div className="shell">
      <a href="#main" className="skip-link">
        Skip to the chat
      </a>
      {beside && (
        <aside aria-label="Sidebar" className="shell-aside">
          <Sidebar onHide={() => setPinned(false)} onHelp={openHelp} onServers={openServers} />
        </aside>
      )}
      <div id="main" tabIndex={-1} className="shell-main outline-none">
        <ConnectionBanner />
        <HealthStrip onOpen={openServers} />
        <ShowSidebar value={beside ? null : show}>
          <Outlet />
        </ShowSidebar>
      </div>
      {drawer && !wide && (
        <Drawer label="Chats" onClose={closeDrawer}>
          <Sidebar
            onHide={closeDrawer}
            onHelp={openHelp}
            onServers={openServers}
            onChosen={closeDrawer}
          />
        </Drawer>
      )}
      {help && (
        <Suspense>
          <HelpDialog onClose={() => setHelp(false)} />
        </Suspense>
      )}
      {servers && (
        <Suspense>
          <ServersDialog onClose={() => setServers(false)} />
        </Suspense>
      )}
    </div>
  );
}
