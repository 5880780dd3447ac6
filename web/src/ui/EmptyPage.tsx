import type { ReactNode } from "react";

interface EmptyPageProps {
  title: string;
  /** The button that opens the sidebar, when it is away. */
  menu: ReactNode;
  /** Why there is nothing, and the way on. */
  children: ReactNode;
}

/** A page with nothing on it, and why. */
export function EmptyPage({ title, menu, children }: EmptyPageProps) {
  return (
    <main className="page">
      <header className="page-header">{menu}</header>
      <div className="page-centre">
        <h1 className="font-display text-2xl font-semibold">{title}</h1>
        {children}
      </div>
    </main>
  );
}
