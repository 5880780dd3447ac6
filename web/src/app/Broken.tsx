import { Component, type ReactNode } from "react";
import { reportError } from "@/api/telemetry";
import { Button } from "@/ui/Button";

/** Shown in the place of what broke. */
export function BrokenPage() {
  return (
    <main className="page">
      <div className="page-centre" role="alert">
        <h1 className="font-display text-2xl font-semibold">This page broke</h1>
        <p className="text-muted">
          It is a fault of the page, not yours. Your chats are safe, and an answer under way goes
          on. Loading the page anew brings them back.
        </p>
        <Button look="action" onClick={() => window.location.reload()}>
          Load the page anew
        </Button>
      </div>
    </main>
  );
}

/** Keeps a part that breaks from leaving nothing but white, and tells of it where somebody wants to know. */
export class Guarded extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override componentDidCatch(error: unknown) {
    reportError(error);
  }

  override render() {
    return this.state.broken ? <BrokenPage /> : this.props.children;
  }
}
