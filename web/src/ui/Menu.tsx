import { DropdownMenu } from "radix-ui";
import { type ReactNode, useState } from "react";

/** Menus are not modal: Radix' modal ones inject a <style> element, which our CSP forbids. */
interface MenuProps {
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
  side?: "top" | "bottom";
  label: string;
  onOpenChange?: (open: boolean) => void;
}

export function Menu({ trigger, children, align = "start", side, label, onOpenChange }: MenuProps) {
  // Menus open in the landmark their button is in. A modal dialog makes all else inert, and inside
  // the button's own row other rows would lie on top.
  const [button, setButton] = useState<HTMLElement | null>(null);
  const container = button?.closest<HTMLElement>("dialog, main, aside") ?? null;
  return (
    <DropdownMenu.Root modal={false} {...(onOpenChange ? { onOpenChange } : {})}>
      <DropdownMenu.Trigger ref={setButton} asChild>
        {trigger}
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal container={container}>
        <DropdownMenu.Content
          aria-label={label}
          align={align}
          side={side}
          sideOffset={6}
          collisionPadding={12}
          className="goblin-menu"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface MenuItemProps {
  icon: ReactNode;
  children: ReactNode;
  danger?: boolean;
  onSelect: () => void;
}

export function MenuItem({ icon, children, danger, onSelect }: MenuItemProps) {
  return (
    <DropdownMenu.Item
      className={`goblin-menu-item ${danger ? "text-danger-ink" : ""}`}
      onSelect={onSelect}
    >
      {icon}
      {children}
    </DropdownMenu.Item>
  );
}

export const MenuChoices = DropdownMenu.RadioGroup;
export const MenuChoice = DropdownMenu.RadioItem;
export const MenuChosen = DropdownMenu.ItemIndicator;
export const MenuGroup = DropdownMenu.Group;
export const MenuHeading = DropdownMenu.Label;
