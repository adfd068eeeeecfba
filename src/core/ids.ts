/** The names of things in the protocol, and what each is unique within. */

/** A member of one cluster: handed out by the epochs, from 1, and never used again. */
export type NodeId = number;

/**
 * One uninterrupted life of a node's data: 64 bits of time and chance, drawn at each start and
 * whenever a partition was not held without a break. 16 lower-case hex digits. The actor of dots.
 */
export type Actor = string;

/** Milliseconds since 1970 where a value is kept; from any start where time is only measured. */
export type Millis = number;

/** One request in flight, unique within the node or connection that numbered it. */
export type RequestId = number;

/** One piece of store work in flight, unique within the running node. */
export type Ticket = number;

/** One of Q equal parts of the ring: the virtual node. From 0. */
export type Partition = number;
