import { Outlet } from "@tanstack/react-router";
import { Announcer } from "@/ui/Announcer";
import { Toasts } from "@/ui/Toasts";

/** What every page has, whoever looks at it. */
export function Frame() {
  return (
    <>
      <Outlet />
      <Toasts />
      <Announcer />
    </>
  );
}
