import { Link } from "@tanstack/react-router";
import { type ComponentType, type ReactNode, Suspense, useEffect } from "react";

export interface Section {
  /** Its place in the address. */
  id: string;
  /** Its heading, and its name in the list. */
  label: string;
  Body: ComponentType;
}

interface SectionedPageProps {
  title: string;
  to: "/account/$section" | "/admin/$section";
  sections: readonly Section[];
  /** Of the section on show; the first one when the address names none. */
  current: string | undefined;
  /** The button that opens the sidebar, when it is away. */
  menu: ReactNode;
}

/** A page of sections, each at an address of its own and loaded when it is looked at. */
export function SectionedPage({ title, to, sections, current, menu }: SectionedPageProps) {
  const section = sections.find(({ id }) => id === current) ?? sections[0];
  const heading = section ? section.label : title;
  useEffect(() => {
    document.title = `${heading} · Goblin`;
  }, [heading]);
  return (
    <main className="page">
      <header className="page-header">
        {menu}
        <h1 className="font-display text-[1.0625rem] font-semibold">{title}</h1>
      </header>
      <nav aria-label={title} className="sections-nav">
        {sections.map(({ id, label }) => (
          <Link
            key={id}
            to={to}
            params={{ section: id }}
            aria-current={id === section?.id ? "page" : undefined}
          >
            {label}
          </Link>
        ))}
      </nav>
      {section && <SectionBody key={section.id} section={section} />}
    </main>
  );
}

function SectionBody({ section: { label, Body } }: { section: Section }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and a keyboard must be able to
    <section aria-labelledby="section-title" className="sections-body" tabIndex={0}>
      <div className="sections-column">
        <h2 id="section-title">{label}</h2>
        <Suspense fallback={<p className="text-muted">Loading…</p>}>
          <Body />
        </Suspense>
      </div>
    </section>
  );
}
