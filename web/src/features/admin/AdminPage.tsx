import { lazy, type ReactNode } from "react";
import { useOwnAccount } from "@/api/signIn";
import type { Role } from "@/api/types";
import { reaches } from "@/lib/people";
import { EmptyPage } from "@/ui/EmptyPage";
import { type Section, SectionedPage } from "@/ui/SectionedPage";

interface AdminSection extends Section {
  /** Who may see it. */
  least: Role;
  /** Also where there are no accounts. */
  local?: boolean;
}

/** Each section is a file of its own, loaded when it is looked at; a new one is one line here. */
const sections: readonly AdminSection[] = [
  { id: "users", label: "People", least: "admin", Body: lazy(() => import("./UsersSection")) },
  {
    id: "invitations",
    label: "Invitations",
    least: "admin",
    Body: lazy(() => import("./InvitationsSection")),
  },
  { id: "keys", label: "API keys", least: "admin", Body: lazy(() => import("./KeysSection")) },
  {
    id: "providers",
    label: "Providers",
    least: "admin",
    local: true,
    Body: lazy(() => import("./ProvidersSection")),
  },
  {
    id: "budgets",
    label: "Budgets",
    least: "admin",
    local: true,
    Body: lazy(() => import("./BudgetsSection")),
  },
  {
    id: "costs",
    label: "Costs",
    least: "admin",
    local: true,
    Body: lazy(() => import("./CostsSection")),
  },
  {
    id: "status",
    label: "Status",
    least: "admin",
    local: true,
    Body: lazy(() => import("./StatusSection")),
  },
  { id: "teams", label: "Teams", least: "admin", Body: lazy(() => import("./Teams")) },
  { id: "audit", label: "Audit log", least: "admin", Body: lazy(() => import("./AuditSection")) },
];

interface AdminPageProps {
  section: string | undefined;
  menu: ReactNode;
}

/** For owners and admins: who is here, who may come, what was done. */
export default function AdminPage({ section, menu }: AdminPageProps) {
  const own = useOwnAccount();
  const open = sections.filter(({ least, local }) => (own ? reaches(own.role, least) : local));
  if (open.length === 0) {
    return own ? (
      <EmptyPage title="This is for admins and owners" menu={menu}>
        <p className="text-muted">An owner can change your role.</p>
      </EmptyPage>
    ) : (
      <EmptyPage title="There are no accounts here" menu={menu}>
        <p className="text-muted">Whoever sits at this machine is the owner.</p>
      </EmptyPage>
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
