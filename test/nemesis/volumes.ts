/**
 * File systems of our own under the nodes' directories: a small one in memory that can be filled
 * up, and one in an image whose power can be cut (ioctl FS_IOC_SHUTDOWN without flushing the
 * journal: what was not synced is gone after the next mount). Both need root.
 */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { command } from "./commands.ts";
import type { Undoing } from "./undoing.ts";

export interface MemoryVolume {
  readonly path: string;
  /** Leaves so many bytes. */
  fill(leftBytes: number): void;
  free(): void;
}

export interface ImageVolume {
  readonly path: string;
  /** Leaves so many bytes, if there are more. */
  fill(leftBytes: number): void;
  free(): void;
  /** Nothing that was not synced survives this. Whoever has files open there has to end first. */
  cutPower(): void;
  /** Afterwards the volume is as a disk is after such a cut. */
  mountAgain(): void;
}

const cutter = `
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
`;

export function mountMemory(path: string, bytes: number, undoing: Undoing): MemoryVolume {
  mkdirSync(path, { recursive: true });
  command("mount", "-t", "tmpfs", "-o", `size=${bytes},mode=700`, "tmpfs", path);
  undoing.add(`unmounting ${path}`, () => unmount(path));
  const ballast = join(path, "ballast");
  return {
    path,
    fill: (leftBytes) => {
      const piece = Buffer.alloc(1 << 16);
      const file = openSync(ballast, "a");
      try {
        for (let left = roomIn(path) - leftBytes; left > 0; left -= piece.length) {
          writeSync(file, piece, 0, Math.min(left, piece.length));
        }
      } catch {
        // It is full, which is what was wanted.
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
  };
}

export function mountImage(path: string, bytes: number, undoing: Undoing): ImageVolume {
  const image = `${path}.image`;
  const file = openSync(image, "w");
  ftruncateSync(file, bytes);
  closeSync(file);
  undoing.add(`removing ${image}`, () => rmSync(image, { force: true }));
  mkdirSync(path, { recursive: true });
  command("mkfs.ext4", "-q", "-F", image);
  const mount = (): void => {
    command("mount", "-o", "loop", "-t", "ext4", image, path);
  };
  mount();
  undoing.add(`unmounting ${path}`, () => unmount(path));
  const ballast = join(path, "ballast");
  const clear = (): void => rmSync(ballast, { force: true });
  let [isFull, isOff] = [false, false];
  return {
    path,
    fill: (leftBytes) => {
      isFull = true;
      const bytes = roomIn(path) - leftBytes;
      if (bytes > 0) command("fallocate", "-l", String(bytes), ballast);
    },
    free: () => {
      isFull = false;
      if (!isOff) clear();
    },
    cutPower: () => {
      isOff = true;
      command("python3", "-c", cutter, path);
    },
    mountAgain: () => {
      command("umount", path);
      mount();
      isOff = false;
      // That it was removed may be among what the cut has undone.
      if (!isFull) clear();
    },
  };
}

function roomIn(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

function unmount(path: string): void {
  try {
    command("umount", path);
  } catch {
    // Files may still be open in it: then it goes when the last of them is closed.
    command("umount", "--lazy", path);
  }
}
