import { Download, Trash2 } from "lucide-react";
import { useState } from "react";
import { deleteAccount, exportAddress } from "@/api/accounts";
import { leave, useOwnAccount } from "@/api/signIn";
import { problemsOf } from "@/lib/credentials";
import { useSubmission } from "@/lib/useSubmission";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";

/** Taking everything along, and going for good. */
export default function ExportAndDelete() {
  const account = useOwnAccount();
  const [going, setGoing] = useState(false);
  return (
    <>
      <p className="text-muted">
        Everything kept of you as one ZIP file: each chat to be read, and all of it as JSON.
      </p>
      <div>
        <Button small onClick={() => window.location.assign(exportAddress())}>
          <Download size={15} />
          Download everything
        </Button>
      </div>
      {account && (
        <>
          <p className="text-muted">
            Deleting the account erases your chats, answers, traces and sign-ins for good. What was
            used stays counted, without you.
          </p>
          <div>
            <Button small look="danger" onClick={() => setGoing(true)}>
              <Trash2 size={15} />
              Delete my account
            </Button>
          </div>
        </>
      )}
      {going && <DeleteDialog onClose={() => setGoing(false)} />}
    </>
  );
}

function DeleteDialog({ onClose }: { onClose: () => void }) {
  const [password, setPassword] = useState("");
  const submission = useSubmission(["password"], () => deleteAccount(password));
  return (
    <Dialog title="Delete your account?" onClose={onClose}>
      <div className="space-y-4 px-6 py-4">
        <p>
          It cannot be taken back. Whoever signed in within the last ten minutes needs no password.
        </p>
        <Form
          label="Delete the account"
          submission={submission}
          check={() => problemsOf({})}
          action="Delete for good"
          busy="Deleting…"
          onDone={leave}
        >
          <PasswordField
            label="Password"
            name="password"
            autoComplete="current-password"
            value={password}
            onText={setPassword}
            error={submission.errors.password}
          />
        </Form>
      </div>
    </Dialog>
  );
}
