import { create } from "zustand";
import { reaches } from "@/lib/people";
import { forgetDrafts } from "@/lib/useDraft";
import { onReconnect } from "./connection";
import { apiOrigin } from "./origin";
import type { Role, SignInState, User } from "./types";

/**
 * Who is signed in. Asked once at the start, before anything is shown; after that the server's refusals tell. Nothing
 * here is a wall: what somebody may do the server decides, and the page only does not offer the rest.
 */
interface SignIn {
  /** Null while the server has not said; then the page is shown as it is without accounts. */
  state: SignInState | null;
  /** A sign-in that was there is over: somebody ended it, or its time came. */
  ended: boolean;
}

export const useSignIn = create<SignIn>(() => ({ state: null, ended: false }));

/** Of whom the page's memory is; somebody else gets an empty one. */
let rememberedOf: string | null = null;

export async function loadSignIn(): Promise<void> {
  try {
    const response = await fetch(`${apiOrigin()}/auth/state`, {
      credentials: apiOrigin() ? "include" : "same-origin",
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(8000),
    });
    if (!response.ok) return;
    const state = (await response.json()) as SignInState;
    if (state.user) enter(state.user, state);
    else useSignIn.setState({ state });
  } catch {
    // Not reached. The page says so by its first call, and this is asked again when there is an answer.
  }
}

onReconnect(() => {
  if (useSignIn.getState().state === null) loadSignIn();
});

/** Somebody is signed in, from now on or still. */
export function enter(user: User, state = useSignIn.getState().state): void {
  const before = rememberedOf ?? readOwner();
  if (before !== null && before !== user.id) {
    forgetDrafts();
    if (rememberedOf !== null) {
      writeOwner(user.id);
      // What the page remembers is somebody else's.
      window.location.assign("/");
      return;
    }
  }
  rememberedOf = user.id;
  writeOwner(user.id);
  // Somebody with an address has an account, be it the first one. In local mode nobody has one.
  const mode = user.email === null ? state?.mode : "accounts";
  if (state && mode) useSignIn.setState({ state: { ...state, mode, user }, ended: false });
  else loadSignIn();
}

/** The server refused a request. 401 on any path but those of signing in means that the sign-in is over. */
export function reportRefused(status: number, address: string): void {
  if (status !== 401 || new URL(address, window.location.href).pathname.startsWith("/auth/"))
    return;
  const { state } = useSignIn.getState();
  if (state?.user && state.mode === "accounts") {
    useSignIn.setState({ state: { ...state, user: null }, ended: true });
  } else if (state?.mode !== "accounts") {
    loadSignIn(); // there were no accounts when this was last looked at
  }
}

/** Everything of the person who leaves goes: what was written and not sent, and the page's memory. */
export function leave(): void {
  forgetDrafts();
  rememberedOf = null;
  writeOwner(null);
  window.location.assign("/");
}

/** Resolves when somebody is signed in, or right away where no sign-in is needed. */
export function whenSignedIn(): Promise<void> {
  if (!needsSignIn(useSignIn.getState())) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = useSignIn.subscribe((now) => {
      if (needsSignIn(now)) return;
      stop();
      resolve();
    });
  });
}

export const needsSignIn = ({ state }: SignIn) => state?.mode === "accounts" && state.user === null;

/** May the person here do what needs this role? Where there are no accounts, everything. */
export function useMay(least: Role): boolean {
  return useSignIn(({ state }) => !state?.user || reaches(state.user.role, least));
}

const accountIn = ({ state }: SignIn) => (state?.mode === "accounts" ? (state.user ?? null) : null);

/** Who is signed in here; null where nobody has to be. */
export const useOwnAccount = (): User | null => useSignIn(accountIn);
export const ownAccount = (): User | null => accountIn(useSignIn.getState());

const ownerKey = "goblin-drafts-of";

function readOwner(): string | null {
  try {
    return sessionStorage.getItem(ownerKey);
  } catch {
    return null;
  }
}

function writeOwner(id: string | null): void {
  try {
    if (id === null) sessionStorage.removeItem(ownerKey);
    else sessionStorage.setItem(ownerKey, id);
  } catch {
    // Without storage there are no kept drafts either.
  }
}
