package org.dpo4j.torch;

import java.util.OptionalInt;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * Where tensors are and operations on them run.
 *
 * @param gpu number of an NVIDIA GPU, from 0; empty for the processor
 */
public record ComputeDevice(OptionalInt gpu) {

  public static final ComputeDevice CPU = new ComputeDevice(OptionalInt.empty());

  /** The GPU with a number, from 0. */
  public static ComputeDevice ofGpu(int number) {
    return new ComputeDevice(OptionalInt.of(number));
  }

  /** Number of GPUs that libtorch can use; 0 also if it was built without CUDA. */
  public static int gpus() {
    Engine.start();
    return torch.cuda_is_available() ? torch.cuda_device_count() : 0;
  }

  /** Whether the loaded libtorch was built with CUDA. */
  public static boolean isBuiltWithCuda() {
    Engine.start();
    return torch.getCUDAHooks().hasCUDART();
  }

  public boolean isCpu() {
    return gpu.isEmpty();
  }

  /** Uninitialized memory of the given type and shape on this device. */
  public Tensor empty(ElementType type, long... shape) {
    return torch.empty(shape, options(type), null);
  }

  private TensorOptions options(ElementType type) {
    return new TensorOptions(type.scalarType()).device(new DeviceOptional(new Device(toString())));
  }

  /** As PyTorch writes it: {@code cpu} or {@code cuda:0}. */
  @Override
  public String toString() {
    return isCpu() ? "cpu" : "cuda:" + gpu.getAsInt();
  }
}
