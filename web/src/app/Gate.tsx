import { lazy, type ReactNode, Suspense, useEffect } from "react";
import { loadSignIn, needsSignIn, useSignIn } from "@/api/signIn";

const SignInPage = lazy(() => import("@/features/signing-in/SignInPage"));
const NoOwnerPage = lazy(() => import("@/features/signing-in/NoOwnerPage"));

/**
 * What is inside is for people who are signed in, where there are accounts. Signing in happens at the same address, so
 * whoever does it is where they wanted to be.
 */
export function Gate({ children }: { children: ReactNode }) {
  const mode = useSignIn(({ state }) => state?.mode);
  const needed = useSignIn(needsSignIn);
  useOtherTabs();
  if (mode === "setup") {
    return (
      <Suspense>
        <NoOwnerPage />
      </Suspense>
    );
  }
  if (needed) {
    return (
      <Suspense>
        <SignInPage />
      </Suspense>
    );
  }
  return children;
}

/** Another tab shares the cookie: whoever signs in or out there is signed in or out here, once this one is looked at. */
function useOtherTabs() {
  useEffect(() => {
    const look = () => {
      const accounts = useSignIn.getState().state?.mode === "accounts";
      if (accounts && document.visibilityState === "visible") loadSignIn();
    };
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
}
