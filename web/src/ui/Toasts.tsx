import { X } from "lucide-react";
import { Button, IconButton } from "./Button";
import { dismissToast, useToasts } from "./toasts";

export function Toasts() {
  const toasts = useToasts((state) => state.toasts);
  return (
    <section
      aria-label="Notices"
      className="pointer-events-none fixed inset-x-4 bottom-4 z-40 flex flex-col items-center gap-2 sm:items-end"
    >
      {toasts.map((toast) => (
        <div key={toast.id} role="status" className="goblin-toast">
          <p className="min-w-0 flex-1 truncate">{toast.text}</p>
          {toast.action && (
            <Button
              small
              look="action"
              onClick={() => {
                toast.action?.run();
                dismissToast(toast.id);
              }}
            >
              {toast.action.label}
            </Button>
          )}
          <IconButton label="Dismiss notice" onClick={() => dismissToast(toast.id)}>
            <X size={16} />
          </IconButton>
        </div>
      ))}
    </section>
  );
}
