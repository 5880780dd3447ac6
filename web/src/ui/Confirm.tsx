import { type ReactNode, useState } from "react";
import { remedyOf } from "@/lib/problems";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Sentence } from "./Sentence";

interface ConfirmProps {
  title: string;
  /** What will be lost, and for whom. */
  children: ReactNode;
  action: string;
  /** Closes when this is done; what fails is said in the dialog. */
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, children, action, onConfirm, onClose }: ConfirmProps) {
  const [pending, setPending] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);

  async function confirm() {
    setPending(true);
    setFailure(null);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setFailure(remedyOf(error).detail);
      setPending(false);
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <div className="space-y-2 px-6 py-2">
        {children}
        <div role="alert" className="form-failure">
          {failure && <Sentence text={failure} />}
        </div>
      </div>
      <footer className="flex justify-end gap-2 border-t border-line px-6 py-4">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" disabled={pending} onClick={confirm}>
          {action}
        </Button>
      </footer>
    </Dialog>
  );
}
