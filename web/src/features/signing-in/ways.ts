import type { ComponentType } from "react";
import type { SignInState, User } from "@/api/types";
import PasswordSignIn from "./PasswordSignIn";

export interface WayProps {
  state: SignInState;
  /** Somebody came in. */
  onSignedIn: (user: User) => void;
}

interface Way {
  /** As the server calls it in `methods`; only what it offers is shown. */
  method: string;
  Body: ComponentType<WayProps>;
}

/** Every way to sign in, in the order they stand on the page. Each is a file of its own. */
export const ways: readonly Way[] = [{ method: "password", Body: PasswordSignIn }];
