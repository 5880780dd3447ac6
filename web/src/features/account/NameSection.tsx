import { useState } from "react";
import { updateAccount } from "@/api/accounts";
import { enter, useOwnAccount } from "@/api/signIn";
import { roleWords } from "@/lib/people";
import { useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { Field } from "@/ui/Field";
import { Form } from "@/ui/Form";

/** Who one is here: address, role, and what one is called. */
export default function NameSection() {
  const account = useOwnAccount();
  const [name, setName] = useState(account?.name ?? "");
  const submission = useSubmission(["name"], async () => {
    enter(await updateAccount(name.trim() === "" ? null : name.trim()));
  });
  if (!account) return null;
  const role = roleWords[account.role];
  return (
    <>
      <dl className="account-facts">
        <dt>E-mail address</dt>
        <dd>{account.email}</dd>
        <dt>Role</dt>
        <dd>
          {role.name}: {role.may}
        </dd>
      </dl>
      <Form
        label="Name"
        submission={submission}
        action="Save"
        busy="Saving…"
        onDone={() => announce("Name saved")}
      >
        <Field
          label="Name"
          name="name"
          autoComplete="name"
          maxLength={200}
          value={name}
          onText={setName}
          hint="What others see; left empty, they see the address"
          error={submission.errors.name}
        />
      </Form>
    </>
  );
}
