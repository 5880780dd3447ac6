import { lazy, type ReactNode } from "react";
import { useOwnAccount } from "@/api/signIn";
import type { Role } from "@/api/types";
import { reaches } from "@/lib/people";
import { type Section, SectionedPage } from "@/ui/SectionedPage";

/** Each section is a file of its own, loaded when it is looked at; a new one is one line here. */
const sections: readonly (Section & { least: Role })[] = [
  { id: "users", label: "People", least: "admin", Body: lazy(() => import("./UsersSection")) },
  {
    id: "invitations",
    label: "Invitations",
    least: "admin",
    Body: lazy(() => import("./InvitationsSection")),
  },
  { id: "keys", label: "API keys", least: "admin", Body: lazy(() => import("./KeysSection")) },
  { id: "teams", label: "Teams", least: "admin", Body: lazy(() => import("./Teams")) },
  { id: "audit", label: "Audit log", least: "admin", Body: lazy(() => import("./AuditSection")) },
];

interface AdminPageProps {
  section: string | undefined;
  menu: ReactNode;
}

/** For owners and admins: who is here, who may come, what was done. */
export default function AdminPage({ section, menu }: AdminPageProps) {
  const role = useOwnAccount()?.role ?? "owner";
  const open = sections.filter(({ least }) => reaches(role, least));
  if (open.length === 0) {
    return (
      <main className="page">
        <header className="page-header">{menu}</header>
        <div className="page-centre">
          <h1 className="font-display text-2xl font-semibold">This is for admins and owners</h1>
          <p className="text-muted">An owner can change your role.</p>
        </div>
      </main>
    );
  }
  return (
    <SectionedPage
      title="Administration"
      to="/admin/$section"
      sections={open}
      current={section}
      menu={menu}
    />
  );
}
