package org.dpo4j.ranks;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.torch.ProcessGroup;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Ranks in several processes. */
final class GlooRanks implements Ranks {

  private final RankAddress address;
  private final Duration timeout;
  private final ProcessGroup group;

  private GlooRanks(RankAddress address, Duration timeout, ProcessGroup group) {
    this.address = address;
    this.timeout = timeout;
    this.group = group;
  }

  static GlooRanks connect(RankAddress address, Duration timeout) {
    String own = ownAddress(address);
    try {
      return new GlooRanks(
          address,
          timeout,
          ProcessGroup.connect(
              address.host(), address.port(), own, address.rank(), address.size(), timeout));
    } catch (RuntimeException e) {
      throw new DpoException(
          OptionText.of(
              "%s found not all others at %s port %d within {ddp_timeout} %d seconds (%s); start as many processes as WORLD_SIZE says, each with its own RANK, and let rank 0 listen at this address",
              address, address.host(), address.port(), timeout.toSeconds(), firstLine(e)),
          e);
    }
  }

  /** The address of this machine in the network of rank 0. */
  private static String ownAddress(RankAddress address) {
    try (DatagramSocket socket = new DatagramSocket()) {
      // Sends nothing: it only asks for the route.
      socket.connect(new InetSocketAddress(InetAddress.getByName(address.host()), address.port()));
      return socket.getLocalAddress().getHostAddress();
    } catch (UnknownHostException e) {
      throw new DpoException(
          "the environment variable MASTER_ADDR must name a machine in reach but is %s, which is unknown here"
              .formatted(address.host()),
          e);
    } catch (IOException e) {
      throw new DpoException(
          "%s has no route to %s (%s)".formatted(address, address.host(), e.getMessage()), e);
    }
  }

  @Override
  public int rank() {
    return address.rank();
  }

  @Override
  public int size() {
    return address.size();
  }

  @Override
  public void sum(Tensor tensor) {
    together(() -> group.sum(tensor));
  }

  @Override
  public double[] sum(double... numbers) {
    if (numbers.length == 0) {
      return numbers;
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor tensor = Tensors.doubles(numbers);
      sum(tensor);
      return Tensors.toDoubles(tensor);
    }
  }

  @Override
  public void copyFirst(Tensor tensor) {
    together(() -> group.copyFirst(tensor));
  }

  private void together(Runnable call) {
    try {
      call.run();
    } catch (RuntimeException e) {
      throw new DpoException(
          OptionText.of(
              "%s: another rank is gone, or did not come to the same place of the run within {ddp_timeout} %d seconds (%s); look at the messages of the other ranks, then repeat all of them with {resume_from_checkpoint} true",
              address, timeout.toSeconds(), firstLine(e)),
          e);
    }
  }

  /** Without the place in the source that begins messages of Gloo. */
  private static String firstLine(RuntimeException e) {
    return String.valueOf(e.getMessage())
        .lines()
        .findFirst()
        .orElse("")
        .replaceFirst("^\\[\\S+:\\d+\\]", "")
        .strip();
  }

  @Override
  public void close() {
    group.close();
  }

  @Override
  public String toString() {
    return address.toString();
  }
}
