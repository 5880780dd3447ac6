import { useInfiniteQuery } from "@tanstack/react-query";
import { act } from "react";
import { afterEach, describe, expect, it } from "vitest";
import { render, settled } from "@/testing/render";
import { useNextPage } from "./nextPage";

let page: ReturnType<typeof render>;
let asked: number[] = [];
let away = false;
let again: () => unknown;

function List() {
  const query = useInfiniteQuery({
    queryKey: ["list"],
    queryFn: async ({ pageParam }) => {
      asked.push(pageParam);
      if (away) throw new Error("away");
      return pageParam;
    },
    initialPageParam: 0,
    getNextPageParam: (last) => (last < 3 ? last + 1 : undefined),
  });
  again = query.fetchNextPage;
  useNextPage(query, (query.data?.pages.length ?? 0) < 3);
  return null;
}

afterEach(() => {
  page.leave();
  asked = [];
  away = false;
});

async function openThenLose() {
  page = render(<List />);
  away = false;
  await act(async () => {
    await Promise.resolve();
    away = true;
  });
  await settled();
  await settled();
}

describe("the next page", () => {
  it("is asked for while it is wanted, and not after", async () => {
    page = render(<List />);
    await settled();
    await settled();
    expect(asked).toEqual([0, 1, 2]);
  });

  it("is asked for once, not in a loop, while the server is away", async () => {
    await openThenLose();
    expect(asked).toEqual([0, 1]);
  });

  it("is asked for again when the list is read anew, as after a reconnect", async () => {
    await openThenLose();
    away = false;
    await act(() => page.client.invalidateQueries());
    await settled();
    expect(asked).toEqual([0, 1, 0, 1, 2]);
  });

  it("is asked for again by a button", async () => {
    await openThenLose();
    away = false;
    await act(async () => void again());
    await settled();
    expect(asked).toEqual([0, 1, 1, 2]);
  });
});
