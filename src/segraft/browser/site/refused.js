/** A mistake that the user can correct, in one line: what came, what was expected, what to do. */
export class Refused extends Error {}
