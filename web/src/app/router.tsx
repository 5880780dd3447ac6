import {
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { reportError } from "@/api/telemetry";
import { NewChatPage } from "@/features/chat/NewChatPage";
import { MachineNotice } from "@/features/machine/MachineNotice";
import { BrokenPage } from "./Broken";
import { Frame } from "./Frame";
import { Shell, SidebarButton } from "./Shell";

// No path here may begin with /api, /auth or /v1: those belong to the server.

const root = createRootRoute({ component: Frame });

/** What has the sidebar beside it, and where there are accounts is for people who are signed in. */
const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });

const newChat = createRoute({
  getParentRoute: () => shell,
  path: "/",
  component: () => <NewChatPage menu={<SidebarButton />} notice={<MachineNotice />} />,
});

const ChatPage = lazyRouteComponent(() => import("@/features/chat/ChatPage"));

const chat = createRoute({
  getParentRoute: () => shell,
  path: "/c/$chatId",
  component: function ChatRoute() {
    return <ChatPage chatId={chat.useParams().chatId} menu={<SidebarButton />} />;
  },
});

const AccountPage = lazyRouteComponent(() => import("@/features/account/AccountPage"));

const account = createRoute({
  getParentRoute: () => shell,
  path: "/account",
  component: () => <AccountPage section={undefined} menu={<SidebarButton />} />,
});

const accountSection = createRoute({
  getParentRoute: () => shell,
  path: "/account/$section",
  component: function AccountRoute() {
    return <AccountPage section={accountSection.useParams().section} menu={<SidebarButton />} />;
  },
});

const AdminPage = lazyRouteComponent(() => import("@/features/admin/AdminPage"));

const admin = createRoute({
  getParentRoute: () => shell,
  path: "/admin",
  component: () => <AdminPage section={undefined} menu={<SidebarButton />} />,
});

const adminSection = createRoute({
  getParentRoute: () => shell,
  path: "/admin/$section",
  component: function AdminRoute() {
    return <AdminPage section={adminSection.useParams().section} menu={<SidebarButton />} />;
  },
});

const UsagePage = lazyRouteComponent(() => import("@/features/usage/UsagePage"));

const usage = createRoute({
  getParentRoute: () => shell,
  path: "/usage",
  component: () => <UsagePage menu={<SidebarButton />} />,
});

// Where links lead that the server gives out: `/setup#TOKEN` and so on.

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  component: lazyRouteComponent(() => import("@/features/signing-in/SetupPage")),
});

const invitation = createRoute({
  getParentRoute: () => root,
  path: "/invitation",
  component: lazyRouteComponent(() => import("@/features/signing-in/InvitationPage")),
});

const reset = createRoute({
  getParentRoute: () => root,
  path: "/reset",
  component: lazyRouteComponent(() => import("@/features/signing-in/ResetPage")),
});

const forgot = createRoute({
  getParentRoute: () => root,
  path: "/forgot",
  component: lazyRouteComponent(() => import("@/features/signing-in/ForgotPage")),
});

const verify = createRoute({
  getParentRoute: () => root,
  path: "/verify",
  component: lazyRouteComponent(() => import("@/features/signing-in/VerifyPage")),
});

const register = createRoute({
  getParentRoute: () => root,
  path: "/register",
  component: lazyRouteComponent(() => import("@/features/signing-in/RegisterPage")),
});

const anythingElse = createRoute({ getParentRoute: () => shell, path: "$", component: NotFound });

export const router = createRouter({
  routeTree: root.addChildren([
    shell.addChildren([
      newChat,
      chat,
      account,
      accountSection,
      admin,
      adminSection,
      usage,
      anythingElse,
    ]),
    setup,
    invitation,
    reset,
    register,
    forgot,
    verify,
  ]),
  // The chat's code is asked for while a hand moves towards a link to it.
  defaultPreload: "intent",
  defaultErrorComponent: BrokenPage,
  defaultOnCatch: reportError,
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
