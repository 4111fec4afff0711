/** Connections that may wait to be accepted, and the most that systems take: those of a whole restart. */
export const BACKLOG = 4096;
