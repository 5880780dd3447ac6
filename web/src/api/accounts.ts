import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import { apiOrigin } from "./origin";
import type {
  Account,
  AccountChange,
  AccountPage,
  AuditPage,
  InvitationPage,
  Link,
  LinkMade,
  NewInvitation,
  Role,
  SessionPage,
  Team,
  TeamPage,
  User,
} from "./types";

// Accounts: coming in, one's own, and those of others.

export const signIn = async (email: string, password: string): Promise<User> =>
  (await data(api().POST("/auth/login", { body: { email, password } })))?.user as User;

export async function signOut(): Promise<void> {
  await api().POST("/auth/logout");
}

export const lookAtLink = (token: string): Promise<Link> =>
  data(api().POST("/auth/link", { body: { token } }));

export interface Newcomer {
  email: string;
  name: string;
  password: string;
}

/** An empty name is none. */
const named = ({ name, ...rest }: Newcomer) => (name.trim() === "" ? rest : { ...rest, name });

export const createFirstAccount = async (token: string, who: Newcomer): Promise<User> => {
  const body = { ...named(who), ...(token === "" ? {} : { token }) };
  return (await data(api().POST("/auth/setup", { body })))?.user as User;
};

export const acceptInvitation = async (token: string, who: Newcomer): Promise<User> =>
  (await data(api().POST("/auth/invitation", { body: { ...named(who), token } })))?.user as User;

export const registerAccount = async (who: Newcomer): Promise<User> =>
  (await data(api().POST("/auth/register", { body: named(who) })))?.user as User;

export async function resetPassword(token: string, password: string): Promise<void> {
  await api().POST("/auth/reset", { body: { token, password } });
}

export async function askForReset(email: string): Promise<void> {
  await api().POST("/auth/forgot", { body: { email } });
}

export async function verifyEmail(token: string): Promise<void> {
  await api().POST("/auth/verification", { body: { token } });
}

export const updateAccount = (name: string | null): Promise<User> =>
  data(api().PATCH("/api/account", { body: { name } }));

/** `current` is empty where there is no password yet. */
export async function changePassword(current: string, next: string): Promise<void> {
  const body = { ...(current === "" ? {} : { current_password: current }), new_password: next };
  await api().POST("/api/account/password", { body });
}

export async function endSession(id: string): Promise<void> {
  await api().DELETE("/api/account/sessions/{id}", { params: { path: { id } } });
}

export const endOtherSessions = async (): Promise<number> =>
  (await data(api().DELETE("/api/account/sessions"))).ended;

/** Where the browser downloads everything of whoever is signed in. */
export const exportAddress = () => `${apiOrigin()}/api/account/export`;

/** Ends the account for good. An empty password is none. */
export async function deleteAccount(password: string): Promise<void> {
  await api().DELETE("/api/account", { body: password === "" ? {} : { password } });
}

export async function deleteUser(id: string): Promise<void> {
  await api().DELETE("/api/users/{id}", { params: { path: { id } } });
}

export const createTeam = (name: string): Promise<Team> =>
  data(api().POST("/api/teams", { body: { name } }));

export async function deleteTeam(id: string): Promise<void> {
  await api().DELETE("/api/teams/{id}", { params: { path: { id } } });
}

export async function putMember(id: string, user: string, role: Role): Promise<void> {
  await api().PUT("/api/teams/{id}/members/{user}", {
    params: { path: { id, user } },
    body: { role },
  });
}

export async function removeMember(id: string, user: string): Promise<void> {
  await api().DELETE("/api/teams/{id}/members/{user}", { params: { path: { id, user } } });
}

export const updateUser = (id: string, body: AccountChange): Promise<Account> =>
  data(api().PATCH("/api/users/{id}", { params: { path: { id } }, body }));

export const endUserSessions = async (id: string): Promise<number> =>
  (await data(api().DELETE("/api/users/{id}/sessions", { params: { path: { id } } }))).ended;

export const createResetLink = (id: string): Promise<LinkMade> =>
  data(api().POST("/api/users/{id}/reset", { params: { path: { id } } }));

export const createInvitation = (body: NewInvitation): Promise<LinkMade> =>
  data(api().POST("/api/invitations", { body }));

export async function deleteInvitation(id: string): Promise<void> {
  await api().DELETE("/api/invitations/{id}", { params: { path: { id } } });
}

export const checkAudit = () => data(api().GET("/api/audit/check"));

/** A link for somebody else, at the address this page is reached at. */
export const linkAddress = (made: LinkMade) => new URL(made.path, window.location.origin).href;

/** A list that comes in pages, each naming the next. */
export const pages = <Page extends { next_cursor: string | null }>(
  key: string,
  ask: (query: { cursor?: string; limit: number }) => Promise<Page>,
) =>
  infiniteQueryOptions({
    queryKey: [key],
    queryFn: ({ pageParam }) =>
      ask(pageParam === undefined ? { limit: 50 } : { limit: 50, cursor: pageParam }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });

export const sessionsQuery = pages<SessionPage>("sessions", (query) =>
  data(api().GET("/api/account/sessions", { params: { query } })),
);

export const usersQuery = pages<AccountPage>("users", (query) =>
  data(api().GET("/api/users", { params: { query } })),
);

export const invitationsQuery = pages<InvitationPage>("invitations", (query) =>
  data(api().GET("/api/invitations", { params: { query } })),
);

export const teamsQuery = pages<TeamPage>("teams", (query) =>
  data(api().GET("/api/teams", { params: { query } })),
);

export const membersQuery = (id: string) =>
  queryOptions({
    queryKey: ["team-members", id],
    queryFn: async () =>
      (await data(api().GET("/api/teams/{id}/members", { params: { path: { id } } }))).items,
  });

export const auditQuery = pages<AuditPage>("audit", (query) =>
  data(api().GET("/api/audit", { params: { query } })),
);
