import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import {
  createTeam,
  deleteTeam,
  membersQuery,
  putMember,
  removeMember,
  teamsQuery,
  usersQuery,
} from "@/api/accounts";
import type { Role, Team, TeamMember } from "@/api/types";
import { problemsOf } from "@/lib/credentials";
import { personName, roleWords } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Confirm";
import { Choice, Field } from "@/ui/Field";
import { Form } from "@/ui/Form";
import { ListEnd } from "@/ui/ListEnd";
import { showToast } from "@/ui/toasts";

const roles: readonly Role[] = ["viewer", "member", "admin", "owner"];
const roleChoices = roles.map((value) => ({ value, label: roleWords[value].name }));

/** People who belong together, and what each may do within their team. */
export default function Teams() {
  const client = useQueryClient();
  const query = useInfiniteQuery(teamsQuery);
  const [ending, setEnding] = useState<Team | null>(null);
  const teams = query.data?.pages.flatMap((page) => page.items) ?? [];
  const reload = () => client.invalidateQueries({ queryKey: teamsQuery.queryKey });
  return (
    <>
      <p className="text-muted">
        A team opens nobody's chats. Its owners and admins say who is in it, and so do you.
      </p>
      <TeamForm onMade={reload} />
      <ul className="rows" aria-label="Teams">
        {teams.map((team) => (
          <li key={team.id} data-team={team.id}>
            <details className="row-text">
              <summary>
                <strong>{team.name}</strong>
                <span className="row-more">members: {team.members}</span>
              </summary>
              <Members team={team} onChange={reload} />
            </details>
            <Button small aria-label={`End team ${team.name}`} onClick={() => setEnding(team)}>
              <Trash2 size={15} />
              End
            </Button>
          </li>
        ))}
      </ul>
      <ListEnd query={query} what="teams" />
      {ending && (
        <Confirm
          title={`End team ${ending.name}?`}
          action="End the team"
          onClose={() => setEnding(null)}
          onConfirm={async () => {
            await deleteTeam(ending.id);
            announce(`Team ended: ${ending.name}`);
            await reload();
          }}
        >
          <p>Its members stay who they are, and keep everything that is theirs.</p>
        </Confirm>
      )}
    </>
  );
}

function TeamForm({ onMade }: { onMade: () => void }) {
  const [name, setName] = useState("");
  const submission = useSubmission(["name"], async () => {
    const made = await createTeam(name.trim());
    announce(`Team made: ${made.name}`);
    setName("");
    onMade();
  });
  return (
    <Form
      label="Make a team"
      submission={submission}
      check={() => problemsOf({ name: name.trim() === "" ? "Say what it is called" : undefined })}
      action="Make a team"
      busy="Making it…"
    >
      <Field
        label="Name"
        name="name"
        autoComplete="off"
        maxLength={200}
        value={name}
        onText={setName}
        error={submission.errors.name}
      />
    </Form>
  );
}

function Members({ team, onChange }: { team: Team; onChange: () => void }) {
  const client = useQueryClient();
  const query = useQuery(membersQuery(team.id));
  const users = useInfiniteQuery(usersQuery);
  const members = query.data ?? [];
  const inside = new Set(members.map((member) => member.id));
  const others = (users.data?.pages.flatMap((page) => page.items) ?? []).filter(
    (account) => !inside.has(account.id),
  );

  async function attempt(work: () => Promise<unknown>, done: string) {
    try {
      await work();
      announce(done);
    } catch (error) {
      showToast({ text: `Not done. ${remedyOf(error).detail}`, milliseconds: 8000 });
    }
    await client.invalidateQueries({ queryKey: membersQuery(team.id).queryKey });
    onChange();
  }

  const put = (member: Pick<TeamMember, "id" | "name" | "email">, role: Role) =>
    attempt(
      () => putMember(team.id, member.id, role),
      `${personName(member)} is ${roleWords[role].name} of ${team.name}`,
    );

  return (
    <>
      <ul className="rows" aria-label={`Members of ${team.name}`}>
        {members.map((member) => (
          <li key={member.id}>
            <span className="row-text">{personName(member)}</span>
            <Choice
              quiet
              label={`Role of ${personName(member)} in ${team.name}`}
              value={member.role}
              choices={roleChoices}
              onChoose={(role) => put(member, role)}
            />
            <Button
              small
              aria-label={`Take out ${personName(member)} from ${team.name}`}
              onClick={() =>
                attempt(() => removeMember(team.id, member.id), `${personName(member)} is out`)
              }
            >
              Take out
            </Button>
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <Choice
          label={`Take somebody into ${team.name}`}
          value=""
          choices={[
            { value: "", label: "Choose…" },
            ...others.map((account) => ({ value: account.id, label: personName(account) })),
          ]}
          onChoose={(id) => {
            const account = others.find((one) => one.id === id);
            if (account) put(account, "member");
          }}
        />
      )}
    </>
  );
}
