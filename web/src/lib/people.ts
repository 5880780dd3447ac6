import type { AuditEvent, Role, Session } from "@/api/types";

// Accounts, roles, sign-ins and what was done to them, in words.

export const roleWords: Record<Role, { name: string; may: string }> = {
  viewer: { name: "Viewer", may: "reads, asks nothing" },
  member: { name: "Member", may: "asks and keeps chats" },
  admin: { name: "Admin", may: "also looks after members and viewers" },
  owner: { name: "Owner", may: "may do everything" },
};

const order: readonly Role[] = ["viewer", "member", "admin", "owner"];

/** Each role may do what the ones before it may. */
export const reaches = (role: Role, least: Role) => order.indexOf(role) >= order.indexOf(least);

/** The roles somebody may give, and whose accounts they may change: an owner all, an admin those below. */
export function rolesBelow(role: Role): Role[] {
  if (role === "owner") return [...order];
  if (role === "admin") return ["viewer", "member"];
  return [];
}

/** What to call somebody: by name, or by address. */
export const personName = (person: { name: string | null; email: string | null }) =>
  person.name ?? person.email ?? "Owner";

/** "Firefox on Windows" from what a browser calls itself; what is no browser is shown as it is, cut short. */
export function deviceName(session: Pick<Session, "device" | "kind">): string {
  const { device, kind } = session;
  if (!device) return kind === "tokens" ? "A program" : "A browser";
  const browser = browsers.find(([, pattern]) => pattern.test(device))?.[0];
  const system = systems.find(([, pattern]) => pattern.test(device))?.[0];
  if (!browser) return device.length > 60 ? `${device.slice(0, 60)}…` : device;
  return system ? `${browser} on ${system}` : browser;
}

// Each also calls itself by the names of those below it.
const browsers: readonly [string, RegExp][] = [
  ["Edge", /\bEdg(e|A|iOS)?\//],
  ["Opera", /\bOPR\//],
  ["Samsung Internet", /\bSamsungBrowser\//],
  ["Firefox", /\b(Firefox|FxiOS)\//],
  ["Chrome", /\b(Chrome|CriOS|HeadlessChrome|Chromium)\//],
  ["Safari", /\bVersion\/[\d.]+ .*Safari\//],
];
const systems: readonly [string, RegExp][] = [
  ["Android", /Android/],
  ["iPhone", /iPhone/],
  ["iPad", /iPad/],
  ["Windows", /Windows/],
  ["macOS", /Macintosh|Mac OS X/],
  ["ChromeOS", /CrOS/],
  ["Linux", /Linux/],
];

const ways: Record<string, string> = {
  password: "with the password",
  passkey: "with a passkey",
  setup: "by the set-up link",
  register: "by registering",
  invitation: "by an invitation",
  reset: "by a link for another password",
};

export const signedInBy = (way: string) => ways[way] ?? `with ${way}`;

/** What was done, as people say it. An action this page does not know is shown as the server calls it. */
export function deedWords(event: Pick<AuditEvent, "action" | "detail">): string {
  const words = deeds[event.action] ?? event.action;
  return event.detail ? `${words} (${event.detail})` : words;
}

const deeds: Record<string, string> = {
  "account.made": "Account made",
  "account.changed": "Account changed",
  "account.named": "Name changed",
  "budget.set": "Budget set",
  "budget.removed": "Budget removed",
  "account.exported": "Everything taken along",
  "account.deleted": "Account deleted",
  "identity.linked": "Sign-in at a provider linked",
  "identity.unlinked": "Sign-in at a provider taken away",
  "invitation.made": "Invitation made",
  "invitation.ended": "Invitation withdrawn",
  "key.made": "API key made",
  "key.revoked": "API key revoked",
  "passkey.copied": "A copy of a passkey was used; it signs nobody in any more",
  "passkey.made": "Passkey added",
  "passkey.removed": "Passkey removed",
  "passkey.renamed": "Passkey renamed",
  "password.changed": "Password changed",
  "password.reset": "Password set by a link",
  "provider.changed": "Settings of a provider changed",
  "provider_key.set": "Key of a provider kept",
  "provider_key.removed": "Key of a provider forgotten",
  "reset.offered": "Link for another password made",
  "session.begun": "Signed in",
  "session.ended": "Sign-in ended",
  "session.refused": "Sign-in refused",
  "session.replayed": "Refresh token used twice; its sign-in ended",
  "sessions.ended": "Sign-ins ended",
  "setup.offered": "Set-up link made",
  "verification.offered": "Link for the e-mail address sent",
  "email.verified": "E-mail address shown to be theirs",
  "team.made": "Team made",
  "team.named": "Team named",
  "team.ended": "Team ended",
  "team.joined": "Place in a team",
  "team.left": "Taken out of a team",
};

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** "3 hours ago", "in 7 days"; under a minute either way it is now. */
export function relative(time: string, now: number): string {
  const away = Date.parse(time) - now;
  const size = Math.abs(away);
  if (size < minute) return "now";
  const [count, unit] =
    size < hour
      ? [size / minute, "minute"]
      : size < day
        ? [size / hour, "hour"]
        : [size / day, "day"];
  // What is past is not made older than it is; a week to come is one for its first half day.
  const whole = away < 0 ? Math.floor(count) : Math.round(count);
  const words = `${whole} ${unit}${whole === 1 ? "" : "s"}`;
  return away < 0 ? `${words} ago` : `in ${words}`;
}

export const date = (time: string) =>
  new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });

export const dateAndTime = (time: string) =>
  new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Does the page come from the machine it is shown on? */
export function isThisMachine(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}
