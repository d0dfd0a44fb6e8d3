package org.dpo4j.config;

import org.dpo4j.UsageException;
import org.dpo4j.options.DeviceName;
import org.dpo4j.torch.ComputeDevice;

/** The device that {@code --device} names. */
public final class Devices {

  static final String HELP = "auto, cpu, cuda or cuda:N; a GPU needs another libtorch";

  private Devices() {}

  /**
   * Finds a device.
   *
   * @throws UsageException if the machine or libtorch does not have it
   */
  public static ComputeDevice of(DeviceName name) {
    if (name.isAuto()) {
      return ComputeDevice.gpus() > 0 ? ComputeDevice.ofGpu(0) : ComputeDevice.CPU;
    }
    if (name.gpu().isEmpty()) {
      return ComputeDevice.CPU;
    }
    int number = name.gpu().getAsInt();
    int gpus = ComputeDevice.gpus();
    if (number >= gpus) {
      throw new UsageException("device", "must be on this machine", "was " + name, reason(gpus));
    }
    return ComputeDevice.ofGpu(number);
  }

  private static String reason(int gpus) {
    if (gpus > 0) {
      return "the GPUs are cuda:0 to cuda:" + (gpus - 1);
    }
    return ComputeDevice.isBuiltWithCuda()
        ? "libtorch finds no GPU; nvidia-smi must show one, with a driver that is new enough for the"
            + " CUDA of this libtorch"
        : "this libtorch is for the processor alone; docs/how-to/use-a-gpu.md shows how to use that"
            + " of PyTorch";
  }
}
