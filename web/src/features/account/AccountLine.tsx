import { useNavigate } from "@tanstack/react-router";
import { ChevronsUpDown, LogOut, UserRound, Users } from "lucide-react";
import { signOut } from "@/api/accounts";
import { leave, useMay, useOwnAccount } from "@/api/signIn";
import { personName, roleWords } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { Menu, MenuItem } from "@/ui/Menu";
import { showToast } from "@/ui/toasts";

/** Who is signed in, with the ways to the account, to administration and out. Nothing where there are no accounts. */
export default function AccountLine({ onChosen }: { onChosen?: (() => void) | undefined }) {
  const navigate = useNavigate();
  const account = useOwnAccount();
  const mayAdminister = useMay("admin");
  if (!account) return null;
  const name = personName(account);

  async function out() {
    try {
      await signOut();
      leave();
    } catch (error) {
      showToast({ text: `Not signed out. ${remedyOf(error).detail}`, milliseconds: 8000 });
    }
  }

  return (
    <Menu
      label="Account"
      side="top"
      trigger={
        <button type="button" className="health-line account-line">
          <UserRound size={17} aria-hidden="true" className="shrink-0 text-muted" />
          <span className="sr-only">Account: </span>
          <span className="min-w-0 flex-1 truncate">{name}</span>
          <span className="text-muted">{roleWords[account.role].name}</span>
          <ChevronsUpDown size={14} aria-hidden="true" className="shrink-0 text-muted" />
        </button>
      }
    >
      <MenuItem
        icon={<UserRound size={15} />}
        onSelect={() => {
          onChosen?.();
          navigate({ to: "/account" });
        }}
      >
        Your account
      </MenuItem>
      {mayAdminister && (
        <MenuItem
          icon={<Users size={15} />}
          onSelect={() => {
            onChosen?.();
            navigate({ to: "/admin" });
          }}
        >
          Administration
        </MenuItem>
      )}
      <MenuItem icon={<LogOut size={15} />} onSelect={out}>
        Sign out
      </MenuItem>
    </Menu>
  );
}
