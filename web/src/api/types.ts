// The words of the wire, as this page uses them. Aliases of the generated schema, so a change of
// the server shows up here as a type error.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Chat = Schemas["Chat"];
export type Turn = Schemas["Turn"];
export type Parameters = Schemas["Parameters"];
export type Problem = Schemas["Problem"];
export type Status = Schemas["SystemStatus"];
export type Upstream = Status["upstreams"][number];
export type Model = Status["models"][number];
export type ChatPage = Schemas["ChatPage"];
export type TurnPage = Schemas["TurnPage"];
export type ChatPatch = Schemas["ChatChange"];
export type NewChat = Schemas["ChatBody"];
export type NewTurn = Schemas["TurnBody"];
export type Trace = Schemas["Trace"];
export type TraceSummary = Schemas["TraceSummary"];
export type Step = Trace["steps"][number];
export type Verdict = Step["verdicts"][number];
export type Feedback = Schemas["Feedback"];
export type FeedbackChange = Schemas["FeedbackBody"];
export type DryRun = Schemas["DryRun"];
export type LinkedIdentity = Schemas["IdentityView"];
export type SignInState = Schemas["SignInState"];
export type User = Schemas["User"];
export type Role = Schemas["Role"];
export type Link = Schemas["LinkAnswer"];
export type LinkMade = Schemas["LinkMade"];
export type Session = Schemas["SessionShown"];
export type SessionPage = Schemas["SessionPage"];
export type Passkey = Schemas["Passkey"];
export type Account = Schemas["Account"];
export type Team = Schemas["Team"];
export type TeamMember = Schemas["TeamMember"];
export type TeamPage = Schemas["TeamPage"];
export type AccountPage = Schemas["AccountPage"];
export type AccountChange = Schemas["AccountChangeBody"];
export type Invitation = Schemas["Invitation"];
export type InvitationPage = Schemas["InvitationPage"];
export type NewInvitation = Schemas["InvitationBody"];
export type AuditEvent = Schemas["AuditEvent"];
export type AuditPage = Schemas["AuditPage"];
export type ApiKey = Schemas["ApiKey"];
export type ApiKeyMade = Schemas["ApiKeyMade"];
export type ApiKeyPage = Schemas["ApiKeyPage"];
export type NewApiKey = Schemas["ApiKeyBody"];
