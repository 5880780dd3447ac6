// What the server puts into the address when somebody comes back from a provider, and what it means.

const sentences: Record<string, string> = {
  denied:
    "You, or the provider, did not allow the sign-in there. Try again, or sign in another way.",
  provider_down:
    "The provider does not answer as it should. Try again soon, or sign in another way.",
  refused: "What the provider sent is not good. Begin again.",
  clock_differs:
    "The clocks of this server and of the provider differ by more than a minute. Tell whoever runs this server.",
  expired:
    "This sign-in is over: it took more than ten minutes, was finished already, or began in another browser. Begin again.",
  not_verified:
    "The provider does not say that this e-mail address is yours. Confirm it there first.",
  not_invited:
    "Nobody here invited this e-mail address. Ask an owner or admin for an invitation to the address you have there.",
  not_linked:
    "There is an account with this e-mail address. Sign in to it as usual, then link this way in under Account.",
  taken: "That account there is linked already, to yours or another one.",
  shut_out: "This account is shut out. An owner or admin can let it in again.",
  sign_in_again: "You are not signed in any more as who began this. Sign in and link again.",
  too_many: "Too many tries. Wait a minute, then try again.",
};

/** The sentence for a word of the server; null where there is none to say. */
export function troubleElsewhere(search: string): string | null {
  const code = new URLSearchParams(search).get("error");
  if (code === null) return null;
  const known = Object.hasOwn(sentences, code) ? sentences[code] : undefined;
  return known ?? "This did not work. Try again in a moment.";
}
