// The exported network, run by ONNX Runtime on one thread of the CPU.

import * as ort from "./onnxruntime/ort.wasm.bundle.min.mjs";

ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send
ort.env.logLevel = "error";

/** Load a network; it maps a window `(height, width)` to its embedding `(dim, *output)` and foreground logits. */
export async function loadNetwork(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  const session = await ort.InferenceSession.create(await response.arrayBuffer(), { executionProviders: ["wasm"] });
  return async (window, height, width) => {
    const { embedding, foreground } = await session.run({
      image: new ort.Tensor("float32", window, [1, 1, height, width]),
    });
    return { embedding: embedding.data, foreground: foreground.data };
  };
}
