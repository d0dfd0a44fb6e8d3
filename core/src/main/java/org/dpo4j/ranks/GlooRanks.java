package org.dpo4j.ranks;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Ranks that are connected by libtorch's Gloo over TCP. Rank 0 lists the addresses of all in a
 * {@code TCPStore}; then each is connected with each.
 */
final class GlooRanks implements Ranks {

  /** Elements of a tensor that are added up in one call: several calls run at the same time. */
  private static final long PIECE = 1 << 22;

  private final RankAddress address;
  private final Duration timeout;
  private final TCPStore store;
  private final ProcessGroupGloo group;

  private GlooRanks(RankAddress address, Duration timeout, TCPStore store, ProcessGroupGloo group) {
    this.address = address;
    this.timeout = timeout;
    this.store = store;
    this.group = group;
  }

  static GlooRanks connect(RankAddress address, Duration timeout) {
    String own = ownAddress(address);
    TCPStore store = null;
    try {
      TCPStoreOptions options = new TCPStoreOptions();
      options.port((short) address.port());
      options.isServer(address.rank() == 0);
      options.waitWorkers(false);
      options.timeout(new Milliseconds(timeout.toMillis()));
      store = new TCPStore(address.host(), options);
      ProcessGroupGloo.Options gloo =
          ProcessGroupGloo.Options.create(new Milliseconds(timeout.toMillis()));
      gloo.devices().push_back(ProcessGroupGloo.createDeviceForHostname(own));
      return new GlooRanks(
          address,
          timeout,
          store,
          new ProcessGroupGloo(store, address.rank(), address.size(), gloo));
    } catch (RuntimeException e) {
      if (store != null) {
        store.close();
      }
      throw new DpoException(
          OptionText.of(
              "%s found not all others at %s port %d within {ddp_timeout} %d seconds (%s); start as many processes as WORLD_SIZE says, each with its own RANK, and let rank 0 listen at this address",
              address, address.host(), address.port(), timeout.toSeconds(), firstLine(e)),
          e);
    }
  }

  /** The address of this machine in the network of rank 0's: the one from which it is reached. */
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
    inPieces(tensor, piece -> group.allreduce(piece));
  }

  @Override
  public double[] sum(double... numbers) {
    if (numbers.length == 0) {
      return numbers;
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor tensor = Tensors.doubles(numbers);
      sum(tensor);
      return Tensors.toDoubles(tensor);
    }
  }

  @Override
  public void copyFirst(Tensor tensor) {
    inPieces(tensor, piece -> group.broadcast(piece));
  }

  private interface Call {
    Work on(TensorVector piece);
  }

  private void inPieces(Tensor tensor, Call call) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor flat = tensor.detach().view(-1);
      List<Work> running = new ArrayList<>();
      for (long from = 0; from < flat.numel(); from += PIECE) {
        Tensor piece = flat.narrow(0, from, Math.min(PIECE, flat.numel() - from));
        running.add(call.on(new TensorVector(piece)));
      }
      running.forEach(Work::_wait);
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
    store.close();
  }

  @Override
  public String toString() {
    return address.toString();
  }
}
