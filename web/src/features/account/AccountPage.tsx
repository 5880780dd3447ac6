import { Link } from "@tanstack/react-router";
import { lazy, type ReactNode } from "react";
import { useOwnAccount } from "@/api/signIn";
import { EmptyPage } from "@/ui/EmptyPage";
import { type Section, SectionedPage } from "@/ui/SectionedPage";

/** Each section is a file of its own, loaded when it is looked at; a new one is one line here. */
const sections: readonly Section[] = [
  { id: "profile", label: "Name", Body: lazy(() => import("./NameSection")) },
  { id: "password", label: "Password", Body: lazy(() => import("./PasswordSection")) },
  { id: "linked", label: "Linked sign-ins", Body: lazy(() => import("./LinkedIdentities")) },
  { id: "passkeys", label: "Passkeys", Body: lazy(() => import("./PasskeysSection")) },
  { id: "sessions", label: "Sign-ins", Body: lazy(() => import("./SessionsSection")) },
  { id: "keys", label: "API keys", Body: lazy(() => import("./ApiKeys")) },
  { id: "data", label: "Your data", Body: lazy(() => import("./ExportAndDelete")) },
];

interface AccountPageProps {
  section: string | undefined;
  menu: ReactNode;
}

/** One's own account. */
export default function AccountPage({ section, menu }: AccountPageProps) {
  if (useOwnAccount() === null) {
    return (
      <EmptyPage title="There are no accounts here" menu={menu}>
        <p className="text-muted">
          Whoever sits at this machine is the owner. With a first account, everybody signs in.
        </p>
        <Link to="/setup" className="link-button">
          Make the first account
        </Link>
      </EmptyPage>
    );
  }
  return (
    <SectionedPage
      title="Your account"
      to="/account/$section"
      sections={sections}
      current={section}
      menu={menu}
    />
  );
}
