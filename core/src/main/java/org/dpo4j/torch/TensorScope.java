package org.dpo4j.torch;

import java.util.Iterator;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Frees native memory: closing a scope releases every tensor and argument object that this thread
 * made while the scope was the innermost one. Scopes nest and are closed on the thread that opened
 * them, unless they were {@linkplain #stopCollecting stopped}.
 *
 * <p>A tensor leaves its scope in one of three ways:
 *
 * <ul>
 *   <li>to the enclosing scope: {@link #compute}, or {@link #moveToOuter} in the middle of a block;
 *   <li>to an owner that frees it with {@link Tensors#free}: {@link #disown}, for a tensor that was
 *       made in the scope;
 *   <li>as a second handle with such an owner: {@link #ownedHandle}, for any tensor. The memory is
 *       freed with the last handle.
 * </ul>
 *
 * <pre>{@code
 * try (TensorScope step = TensorScope.open()) {
 *   Tensor loss = ...;
 *   loss.backward();
 * }
 * }</pre>
 */
public final class TensorScope implements AutoCloseable {

  private final @Nullable PointerScope outer;
  private final PointerScope scope;

  private TensorScope() {
    outer = PointerScope.getInnerScope();
    scope = new PointerScope();
  }

  public static TensorScope open() {
    Engine.start();
    return new TensorScope();
  }

  /**
   * Removes a tensor from this scope. The caller owns it and frees it with {@link Tensors#free}.
   */
  public Tensor disown(Tensor tensor) {
    tensor.retainReference(); // detaching alone would release it
    scope.detach(tensor);
    return tensor;
  }

  /** Moves a tensor to the enclosing scope, or to the caller if there is none. */
  public Tensor moveToOuter(Tensor tensor) {
    disown(tensor);
    if (outer != null) {
      outer.attach(tensor); // now held by outer as well
      tensor.releaseReference(); // by outer alone
    }
    return tensor;
  }

  /**
   * A second handle of a tensor, outside all scopes. The caller owns it and frees it with {@link
   * Tensors#free}. It is safe for the results of in-place operations and for elements of tuples
   * too, whose own handles point into other objects.
   */
  public static Tensor ownedHandle(Tensor tensor) {
    Tensor held = new Tensor(tensor);
    held.retainReference(); // detaching alone would release it
    PointerScope inner = PointerScope.getInnerScope();
    if (inner != null) {
      inner.detach(held);
    }
    return held;
  }

  /**
   * Runs the body in a new scope and moves its result to the enclosing scope; everything else that
   * the body made is freed.
   */
  public static Tensor compute(Supplier<Tensor> body) {
    try (TensorScope scope = open()) {
      return scope.moveToOuter(body.get());
    }
  }

  /**
   * Stops collecting what this thread makes. What the scope holds lives until it is closed, which
   * any thread may then do, in any order with other scopes.
   */
  public void stopCollecting() {
    Iterator<PointerScope> open = PointerScope.getScopeIterator();
    while (open.hasNext()) {
      if (open.next() == scope) {
        open.remove();
        return;
      }
    }
  }

  @Override
  public void close() {
    scope.close();
  }

  /** Number of native objects that Java holds, in the whole process. */
  public static long liveHandles() {
    return Pointer.totalCount();
  }

  /** Resident memory of this process, in bytes. */
  public static long residentBytes() {
    return Pointer.physicalBytes();
  }
}
