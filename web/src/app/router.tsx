import {
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { NewChatPage } from "@/features/chat/NewChatPage";
import { MachineNotice } from "@/features/machine/MachineNotice";
import { Shell, SidebarButton } from "./Shell";

// No path here may begin with /api, /auth or /v1: those belong to the server.

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const newChat = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: () => <NewChatPage menu={<SidebarButton />} notice={<MachineNotice />} />,
});

const ChatPage = lazyRouteComponent(() => import("@/features/chat/ChatPage"));

const chat = createRoute({
  getParentRoute: () => root,
  path: "/c/$chatId",
  component: function ChatRoute() {
    return <ChatPage chatId={chat.useParams().chatId} menu={<SidebarButton />} />;
  },
});

export const router = createRouter({
  routeTree: root.addChildren([newChat, chat]),
  // The chat's code is asked for while a hand moves towards a link to it.
  defaultPreload: "intent",
});

/** For right after the start, when the browser has nothing else to do. */
export const preloadChatPage = () => ChatPage.preload?.();

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

function NotFound() {
  return (
    <main className="page">
      <header className="page-header">
        <SidebarButton />
      </header>
      <div className="page-centre">
        <h1 className="font-display text-2xl font-semibold">There is nothing at this address</h1>
        <p className="text-muted">
          The link may be old or mistyped. Your chats are in the sidebar.
        </p>
        <Link to="/" className="link-button">
          Start a new chat
        </Link>
      </div>
    </main>
  );
}
