import { create } from "zustand";

export interface Toast {
  id: number;
  text: string;
  /** How long the offer stands; the toast goes when it ends. */
  milliseconds: number;
  action?: { label: string; run: () => void };
}

export const useToasts = create<{ toasts: Toast[] }>(() => ({ toasts: [] }));

let nextId = 1;

export function showToast(toast: Omit<Toast, "id">): number {
  const id = nextId++;
  useToasts.setState(({ toasts }) => ({ toasts: [...toasts, { ...toast, id }].slice(-3) }));
  setTimeout(() => dismissToast(id), toast.milliseconds);
  return id;
}

export function dismissToast(id: number): void {
  useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) }));
}
